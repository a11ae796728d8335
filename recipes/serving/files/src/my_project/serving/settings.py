"""Settings of the service: environment variables such as SERVE_PORT, checked at start-up."""

import difflib
import os
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from .. import workloads
from ..utils.errors import UserError


def known(name: str) -> str:
    """Return the name of a workload; a ValueError for any other."""
    if name not in workloads.NAMES:
        raise ValueError(f"must name some of {', '.join(workloads.NAMES)}")
    return name


Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Workload = Annotated[str, AfterValidator(known)]


class Settings(BaseSettings):
    """Where to listen, what to serve, and how much to take on at a time."""

    model_config = SettingsConfigDict(env_prefix="SERVE_", frozen=True)

    host: str = Field(default="127.0.0.1", min_length=1)  # empty would be everywhere
    port: int = Field(default=8000, ge=0, le=65535)
    workers: int = Field(default=1, ge=1, le=64)  # processes
    # JSON; the first one answers /predict
    workloads: Annotated[list[Workload], Field(min_length=1)] = workloads.NAMES
    expected_sha256: dict[Workload, Sha256] = {}  # JSON, by workload: serve this model and no other
    poll_seconds: float = Field(default=5, gt=0, le=3600)  # how often to look for a promotion
    max_body_bytes: int = Field(default=2_000_000, ge=1)
    max_examples: int = Field(default=1000, ge=1)  # in one request
    max_concurrency: int = Field(default=64, ge=1)  # requests for predictions; more get a 503
    batch_size: int = Field(default=64, ge=1)  # examples of waiting requests predicted together
    predict_seconds: float = Field(default=30, gt=0, le=3600)  # to wait for a prediction
    body_seconds: float = Field(default=10, gt=0, le=3600)  # to send a body
    max_pending_bytes: int = Field(default=64_000_000, ge=1)  # of unfinished bodies, together
    drain_seconds: float = Field(default=0, ge=0, le=3600)  # unready, but answering, after SIGTERM
    keep_alive_seconds: int = Field(default=5, ge=1)  # for a connection without a request
    shutdown_seconds: int = Field(default=25, ge=1)  # then, to answer what was accepted


def load_settings() -> Settings:
    """Read the environment; a UserError names the variable that is wrong."""
    for variable in (name for name in os.environ if name.upper().startswith("SERVE_")):
        if (name := variable[6:].lower()) not in Settings.model_fields:
            near = difflib.get_close_matches(name, Settings.model_fields, n=1)
            hint = f"did you mean SERVE_{near[0].upper()}?" if near else "see docs/serving.md"
            raise UserError(f"{variable}: no such setting; {hint}")
    try:
        return Settings()
    except ValidationError as error:
        raise UserError("; ".join(_explain(**problem) for problem in error.errors())) from None
    except SettingsError as error:  # its text quotes the field
        raise UserError(_explain([str(error).split('"')[1]], "must be JSON")) from None


def _explain(loc: Sequence[int | str], msg: str, **_: Any) -> str:
    variable, *place = map(str, loc)
    name = ".".join([f"SERVE_{variable}".upper(), *place])
    return f"{name}: {msg.removeprefix('Value error, ')}"

"""Configuration: a TOML file, overridden by `key=value` pairs, validated by a typed class."""

import difflib
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .errors import UserError


class BaseConfig(BaseModel):
    """What every workload can set. Unknown keys and wrong types are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    seed: int = Field(default=0, ge=0, lt=2**32)


ConfigT = TypeVar("ConfigT", bound=BaseConfig)


def load_config(config_type: type[ConfigT], path: Path, overrides: Sequence[str] = ()) -> ConfigT:
    """Read a TOML file, then set each `key=value`; a UserError where any of it is bad."""
    if not path.exists():
        raise UserError(f"{path}: there is no such file; are you in the project's folder?")
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read as TOML: {error}") from None
    try:
        return config_type.model_validate(values | dict(map(_parse, overrides)))
    except ValidationError as error:
        source = " --set ".join([str(path), *overrides])
        raise UserError(f"{source}: {explain(error, config_type.model_fields)}") from None


def dump_config(config: BaseConfig) -> str:
    """Return a configuration as TOML; what is None is left out."""
    return tomli_w.dumps(config.model_dump(mode="json", exclude_none=True))


def explain(error: ValidationError, known: Iterable[str] = ()) -> str:
    """Put pydantic's findings into one line; a misspelt key gets the nearest known one."""
    findings = []
    for problem in error.errors():
        key, text = ".".join(map(str, problem["loc"])), problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            near = difflib.get_close_matches(key, known, n=1)
            text = f"Unknown key; did you mean {near[0]}?" if near else "Unknown key"
        findings.append(f"{key}: {text[:1].lower()}{text[1:]}" if key else text)
    return "; ".join(findings)


def _parse(override: str) -> tuple[str, Any]:
    """Split `key=value`; the value is read as TOML, and as text where it is not TOML."""
    key, separator, text = override.partition("=")
    if not separator:
        raise UserError(f"--set {override}: must be key=value")
    try:
        return key, tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError as error:
        if text[:1] in ("{", "[", '"', "'"):
            raise UserError(f"--set {override}: is not TOML: {error}") from None
        return key, text

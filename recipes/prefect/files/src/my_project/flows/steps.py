"""The steps of the flow: each is a Prefect task that takes and returns plain values."""

import hashlib
import importlib.metadata
import json
import logging
from functools import cache
from pathlib import Path
from typing import Any

from prefect import task
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.context import TaskRunContext
from prefect.tasks import exponential_backoff

from .. import pipeline, promotion, reporting, scoring, tracking, workloads
from ..runs import Run
from ..utils.artifacts import sha256_folder
from ..utils.config import BaseConfig, dump_config, load_config
from ..utils.errors import UserError
from ..utils.records import read_records
from .drift import population_stability_index

# No second try mends these, unlike what else can go wrong with disks and networks.
LASTING = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)


class DataCheckFailed(UserError):
    """The data are not as a configuration says."""


class GateFailed(UserError):
    """A model is not to be promoted."""


def _one_line(record: logging.LogRecord) -> bool:
    """Leave out the traceback of what the user can mend."""
    if record.exc_info and isinstance(record.exc_info[1], UserError):
        record.exc_info = None
    return True


logging.getLogger("prefect.task_runs").addFilter(_one_line)


def may_pass(error: BaseException | None) -> bool:
    """Tell whether an error comes from a disk or a network, so that another try may work."""
    while error and not isinstance(error, OSError):
        error = error.__cause__ or error.__context__
    return error is not None and not isinstance(error, LASTING)


def _retry(_task: Any, _run: Any, state: State[Any]) -> bool:
    return may_pass(state.result(raise_on_failure=False))


RETRIES: dict[str, Any] = {
    "retries": 3,
    "retry_delay_seconds": exponential_backoff(2),  # seconds: 2, 4, 8
    "retry_jitter_factor": 0.5,
    "retry_condition_fn": _retry,
}


@cache
def _packages() -> list[str]:
    """Return the installed versions, of which a process reads hundreds of files once."""
    return sorted(f"{one.name} {one.version}" for one in importlib.metadata.distributions())


def _key(context: TaskRunContext, arguments: dict[str, Any]) -> str:
    """Return the key of a cached result: the step, its inputs, this code, and its packages."""
    code = sha256_folder(Path(__file__).parents[1], "*.py")
    parts = [context.task.name, sorted(arguments.items()), code, _packages()]
    text = json.dumps(parts, default=dump_config)
    return hashlib.sha256(text.encode()).hexdigest()


CACHED: dict[str, Any] = {"cache_key_fn": _key, "result_serializer": "json"}


@task(name="prepare data", **RETRIES)
def prepare(workload: str, config: BaseConfig) -> str:
    """Load and check the data; return their SHA-256."""
    try:
        return str(workloads.load(workload).prepare(config).sha256)
    except UserError as error:
        raise DataCheckFailed(str(error)) from error


@task(**CACHED)
def train(workload: str, config: BaseConfig, data_sha256: str) -> str:
    """Train a model; return the folder of its run."""
    return str(pipeline.train_run(workload, config).folder)


@task(**CACHED)
def evaluate(folder: str, model_sha256: str, rival: str | None) -> dict[str, float]:
    """Measure a run and its rival, the champion, on the data that the run held out.

    Returns `new` and, with a rival, `old`: the primary metric of each; `psi` and `chance`: how far
    the rival's predictions for these data have moved from those for its own.
    """
    run = Run(Path(folder))
    new, old = promotion.compare(run)
    if rival is None or old is None:
        return {"new": new}
    champion = Run(Path(rival))
    workload = workloads.load(run.metadata["workload"])
    data = workload.prepare(load_config(workload.Config, run.folder / "config.toml"))
    answers = pipeline.load_model(champion).predict(workload.held_out(data))
    reference = [one["prediction"] for one in read_records(champion.folder / "predictions.jsonl")]
    psi, chance = population_stability_index(reference, [one.prediction for one in answers])
    return {"new": new, "old": old, "psi": psi, "chance": chance}


@task
def gate(folder: str, measured: dict[str, float], max_drift: float) -> str:
    """Let a run pass that beats the champion on data like those that the champion knows.

    Whatever the verdict, an artifact shows it with all metrics.
    """
    run, drift = Run(Path(folder)), measured.get("psi", 0.0)
    try:
        if drift > max(max_drift, measured.get("chance", 0.0)):
            raise UserError(
                f"the data has drifted by {drift:.3f} (limit {max_drift}); the champion stays"
            )
        text = promotion.verdict(run, measured["new"], measured.get("old"))
    except UserError as error:
        text = str(error)
        raise GateFailed(text) from error
    finally:
        key = f"{run.metadata['workload']}-metrics".replace("_", "-")
        create_markdown_artifact(f"{reporting.summary(run)}\n\nAt the gate: {text}.", key=key)
    return text


@task(**RETRIES)
def promote(folder: str) -> str:
    """Make a run that has passed the gate the champion; return the champion's folder."""
    run = Run(Path(folder))
    if not promotion.is_champion(run):
        tracking.promote(run)
    return str(pipeline.served_run(run.metadata["workload"]).folder)


@task(name="batch-score", **RETRIES)
def score(workload: str, source: str, target: str) -> None:
    """Predict every example of a file with the champion."""
    scoring.predict_file(pipeline.served_run(workload), Path(source), Path(target))

"""The steps of the flow: each is a Prefect task that takes and returns plain values."""

import hashlib
import importlib.metadata
import json
import logging
from pathlib import Path
from typing import Any

from prefect import task
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.context import TaskRunContext
from prefect.tasks import exponential_backoff

from .. import pipeline, promotion, reporting, tracking, workloads
from ..runs import Run
from ..utils.artifacts import sha256_folder
from ..utils.config import BaseConfig, dump_config, load_config
from ..utils.errors import UserError
from ..utils.records import read_records
from .drift import population_stability_index
from .scoring import score_file

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


def _key(context: TaskRunContext, arguments: dict[str, Any]) -> str:
    """Return the key of a cached result: the step, its inputs, this code, and its packages."""
    packages = sorted(f"{one.name} {one.version}" for one in importlib.metadata.distributions())
    code = sha256_folder(Path(__file__).parents[1], "*.py")
    text = json.dumps([context.task.name, arguments, code, packages], default=dump_config)
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
    answers = pipeline.load_model(champion).predict(workload.examples(data, 1000))
    reference = [one["prediction"] for one in read_records(champion.folder / "predictions.jsonl")]
    psi, chance = population_stability_index(reference, [one.prediction for one in answers])
    return {"new": new, "old": old, "psi": psi, "chance": chance}


@task
def gate(folder: str, measured: dict[str, float], max_drift: float) -> str:
    """Let a run pass that beats the champion on data like those that the champion knows.

    Whatever the verdict, an artifact shows it with all metrics.
    """
    run = Run(Path(folder))
    metadata, new, old = run.metadata, measured["new"], measured.get("old")
    text = f"{metadata['primary_metric']} {new:.4f}"
    text += f", the champion's {old:.4f}, drift {measured['psi']:.3f}" if old is not None else ""
    key = f"{metadata['workload']}-metrics".replace("_", "-")
    create_markdown_artifact(f"{reporting.summary(run)}\n\nAt the gate: {text}.", key=key)
    if old is not None and measured["psi"] > max(max_drift, measured["chance"]):
        raise GateFailed(f"{text}: the data has drifted (limit {max_drift}); the champion stays")
    if old is not None and new <= old:
        raise GateFailed(f"{text}: {run.folder.name} is not better; the champion stays")
    return text


@task(**RETRIES)
def promote(folder: str) -> str:
    """Make a run that has passed the gate the champion; return the champion's folder."""
    run = Run(Path(folder))
    champion = tracking.champion(run.metadata["workload"])
    if champion and champion.metadata["model_sha256"] == run.metadata["model_sha256"]:
        return str(champion.folder)
    tracking.promote(run)
    return folder


@task(name="batch-score", **RETRIES)
def score(workload: str, source: str, target: str) -> int:
    """Predict every example of a file with the champion; return how many there are."""
    return score_file(promotion.served_run(workload), Path(source), Path(target))

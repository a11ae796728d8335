"""The flow from data to predictions: `python -m my_project flow`."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from prefect import flow, unmapped
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.settings import PREFECT_API_URL
from prefect.states import Failed
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner
from prefect.types.entrypoint import EntrypointType

from .. import promotion, tracking, workloads
from ..runs import Run
from ..utils.config import BaseConfig, load_config
from ..utils.errors import UserError
from .steps import evaluate, gate, prepare, promote, score, train


def read_configs(
    workload: str, config: str | None, settings: Sequence[str], candidates: Sequence[str]
) -> list[BaseConfig]:
    """Return one configuration, or one for each candidate, a `key=value` on top of the settings."""
    known, path = workloads.load(workload).Config, config or f"experiments/{workload}.toml"
    choices = [[*settings, one] for one in candidates] or [[*settings]]
    return [load_config(known, Path(path), choice) for choice in choices]


def task_runner() -> TaskRunner[Any]:
    """Train one after the other, or with FLOW_DASK on so many local processes, or on a cluster."""
    where = os.environ.get("FLOW_DASK")
    if not where:
        return ThreadPoolTaskRunner(max_workers=1)
    try:
        from prefect_dask.task_runners import DaskTaskRunner
    except ImportError:
        raise UserError("FLOW_DASK: needs the extra: pip install -e '.[dask]'") from None
    if where.isdigit():
        return DaskTaskRunner(cluster_kwargs={"n_workers": int(where), "threads_per_worker": 1})
    return DaskTaskRunner(address=where)


def _name() -> str:
    started = flow_run.get_scheduled_start_time()
    return f"{flow_run.get_parameters()['workload']} {started:%Y-%m-%d %H:%M:%S}"


@flow(name="train and promote", flow_run_name=_name, task_runner=task_runner())
def train_and_promote(
    workload: str = workloads.NAMES[0],
    config: str | None = None,
    settings: Sequence[str] = (),
    candidates: Sequence[str] = (),
    max_drift: float = 0.2,
    source: str | None = None,
    target: str = "predictions.csv",
) -> str | State[Any]:
    """Train, promote the best model if it passes the gate, and score a file with the champion.

    Returns one sentence, or the failed state of the step that stopped it.
    """
    configs = read_configs(workload, config, settings, candidates)
    try:
        hashes = [prepare(workload, one) for one in configs]
        runs = _train(workload, configs, hashes)
        best = max(runs, key=lambda run: run.metrics["test"][run.metadata["primary_metric"]])
        champion, sha256 = tracking.champion(workload), best.metadata["model_sha256"]
        rival = str(champion.folder) if champion and not promotion.is_champion(best) else None
        verdict = gate(str(best.folder), evaluate(str(best.folder), sha256, rival), max_drift)
        promoted = promote(str(best.folder))
        if source:
            score(workload, source, target)
    except UserError as error:
        return Failed(name=type(error).__name__, message=str(error))
    return f"{workload}: {promoted} is the champion: {verdict}"


def _train(workload: str, configs: list[BaseConfig], hashes: list[str]) -> list[Run]:
    """Train with each configuration, at the same time where the task runner can."""
    runs = [Run(Path(one)) for one in train.map(unmapped(workload), configs, hashes).result()]
    if all((run.folder / "metadata.json").exists() for run in runs):
        return runs
    again = train.with_options(refresh_cache=True)  # a run was removed since it was cached
    return [Run(Path(one)) for one in again.map(unmapped(workload), configs, hashes).result()]


def run(parameters: dict[str, Any]) -> str:
    """Run the flow here and now; a UserError tells why it stopped."""
    state: State[Any] = train_and_promote(**parameters, return_state=True)
    if state.is_failed() and state.name != "Failed":  # which is an error of the program
        raise UserError(f"{state.name}: {state.message}")
    return str(state.result())


def serve(parameters: dict[str, Any], cron: str | None) -> None:
    """Run the flow whenever a server says so, until stopped; a UserError without a server."""
    if not PREFECT_API_URL.value():
        raise UserError("--serve: set PREFECT_API_URL to a server's; `prefect server start` is one")
    name, module = parameters["workload"], EntrypointType.MODULE_PATH
    train_and_promote.serve(name, parameters=parameters, cron=cron, entrypoint_type=module)

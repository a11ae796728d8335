"""From a configuration to a run, and from a run to a model: the same for every workload."""

import logging
import os
import shutil
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from . import tracking, workloads
from .runs import Run, finished_runs
from .utils.artifacts import sha256_folder, write_text
from .utils.config import BaseConfig, load_config
from .utils.errors import UserError
from .utils.records import format_examples, format_predictions

logger = logging.getLogger(__name__)


def train_run(name: str, config: BaseConfig, resumed: Run | None = None) -> Run:
    """Prepare, train, save and evaluate; a failure leaves no run, but one with a checkpoint."""
    workload = workloads.load(name)
    data = workload.prepare(config)
    run = resumed or tracking.start(name, config)
    logger.info("training %s on data %s", name, data.sha256[:12])
    try:
        # It ends with the process. Those of one torchrun, numbered by RANK, may share a run.
        with FileLock(run.folder / f".lock{os.environ.get('RANK', 0)}", timeout=0):
            model = workload.train(config, data, run)
            shutil.rmtree(run.model)  # what is there if saving was interrupted
            run.model.mkdir()
            model.save(run.model)
            write_text(run.folder / "examples.jsonl", format_examples(workload.examples(data)))
            # What later predictions are compared with, to see whether the inputs have changed.
            held_out = model.predict(workload.held_out(data))
            write_text(run.folder / "predictions.jsonl", format_predictions(held_out, ".jsonl"))
            logger.info("evaluating %s on test data", name)
            run.finish(
                workload.evaluate(model, data, run.figures),
                workload=name,
                seed=config.seed,
                data_sha256=data.sha256,
                primary_metric=workload.primary_metric(config),
            )
    except Timeout:
        raise UserError(f"{run.folder}: another process is training this run") from None
    except BaseException:
        # A checkpoint, also that of a training that diverged, or the metadata of a whole run.
        if not (resumed or [*run.folder.glob("checkpoint*"), *run.folder.glob("metadata.json")]):
            shutil.rmtree(run.folder)
        raise
    tracking.record(run)
    return run


def find_run(name: str, folder: Path | None = None) -> Run:
    """Return the run in `folder`, by default the workload's newest; a UserError without one."""
    workloads.check(name)
    runs = [Run(folder)] if folder else finished_runs(name)
    if not runs:
        raise UserError(f"{name}: no finished run yet; run the `train` command first")
    return runs[0]


def served_run(name: str) -> Run:
    """Return a workload's champion, or its newest finished run while nothing was promoted.

    A UserError where there is neither, or where the champion cannot be had.
    """
    return tracking.champion(name) or find_run(name)


def load_model(run: Run) -> workloads.FittedModel:
    """Load a run's model; a UserError where its files are not those that the run saved."""
    metadata = run.metadata
    if sha256_folder(run.model) != metadata["model_sha256"]:
        raise UserError(f"{run.model}: differs from what the run saved; restore it or train again")
    return workloads.load(metadata["workload"]).Model.load(run.model)


def evaluate_run(run: Run, of: Run | None = None) -> dict[str, Any]:
    """Evaluate a run's model, or that `of` another, on the data that the run held out.

    A UserError where the data have changed since.
    """
    model, metadata = load_model(of or run), run.metadata
    workload = workloads.load(metadata["workload"])
    data = workload.prepare(load_config(workload.Config, run.folder / "config.toml"))
    if data.sha256 != metadata["data_sha256"]:
        raise UserError(f"{run.folder}: the data has changed since this run; train again")
    return workload.evaluate(model, data)

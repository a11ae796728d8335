"""Tracking with MLflow: each finished run is uploaded, and the registry knows the champions.

A run's folder stays where it is, so that no run depends on a server to be kept or read.
"""

import logging

from . import tracking_mlflow
from .runs import Run
from .tracking_upload import upload
from .utils.config import BaseConfig
from .utils.errors import UserError

logger = logging.getLogger(__name__)


def start(workload: str, config: BaseConfig) -> Run:
    """Begin a run: a folder, so that training never waits for a server."""
    return Run.create(workload, config)


def record(run: Run) -> None:
    """Upload a finished run; where that fails, the run is kept and the log says what to do."""
    try:
        upload(run)
    except UserError as error:
        kept = f"{run.folder.as_posix()} is kept; to upload it later"
        logger.warning("%s; %s: python -m %s upload", error, kept, __package__)


def promote(run: Run) -> None:
    """Make a run its workload's champion: MLflow's registry holds its model under that alias."""
    tracking_mlflow.register(run, upload(run))


def champion(workload: str) -> Run | None:
    """Return the champion, downloaded if it is not here; None before the first was promoted.

    One small request, unless there is a new champion. A UserError where MLflow cannot be reached.
    """
    return tracking_mlflow.registered(workload)

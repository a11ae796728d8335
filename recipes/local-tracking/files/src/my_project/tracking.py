"""Tracking in plain files: the folder of a run is all that there is."""

import os

from .runs import RUNS, Run
from .utils.artifacts import write_text
from .utils.config import BaseConfig
from .utils.errors import UserError


def start(workload: str, config: BaseConfig) -> Run:
    """Begin a run."""
    return Run.create(workload, config)


def record(run: Run) -> None:
    """Keep a finished run where a team can see it: here its folder stays where it is."""


def promote(run: Run) -> None:
    """Make a run its workload's champion: a file beside the runs names it."""
    write_text(RUNS / f"{run.metadata['workload']}.champion", os.path.relpath(run.folder, RUNS))


def champion(workload: str) -> Run | None:
    """Return the champion of a workload; None before the first, a UserError if it was removed."""
    path = RUNS / f"{workload}.champion"
    run = Run(RUNS / path.read_text(encoding="utf-8").strip()) if path.exists() else None
    if run and not run.folder.exists():
        raise UserError(f"{run.folder}: the champion was removed; promote another with --force")
    return run

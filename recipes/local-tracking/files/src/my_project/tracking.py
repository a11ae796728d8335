"""Tracking in plain files: the folder of a run is all that there is."""

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
    if run.folder.resolve().parent != RUNS.resolve():
        raise UserError(f"{run.folder}: is not below {RUNS.as_posix()}; copy it there first")
    write_text(RUNS / f"{run.metadata['workload']}.champion", f"{run.folder.resolve().name}\n")


def champion(workload: str) -> Run | None:
    """Return the champion of a workload; None before the first was promoted."""
    path = RUNS / f"{workload}.champion"
    if not path.exists():
        return None
    run = Run(RUNS / path.read_text(encoding="utf-8").strip())
    if not (run.folder / "metadata.json").exists():
        raise UserError(f"{run.folder}: is the champion, but is gone; promote another run")
    return run

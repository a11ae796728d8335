"""The command `train`."""

from pathlib import Path
from typing import Annotated

import typer

from .. import pipeline, reporting, workloads
from ..runs import Run, unfinished_runs
from ..utils.config import load_config
from ..utils.errors import UserError


def main(
    workload: Annotated[str, typer.Argument()] = workloads.NAMES[0],
    config: Annotated[Path | None, typer.Option(help="Default: experiments/WORKLOAD.toml.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Repeatable.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with what was stopped.")] = False,
    folder: Annotated[Path | None, typer.Option("--run", help="Go on with this run.")] = None,
) -> None:
    """Train; the last line printed is the run's folder."""
    config_type = workloads.load(workload).Config
    path, stopped = config or Path("experiments", f"{workload}.toml"), None
    if resume or folder:
        if config or settings:
            raise UserError("--resume: goes on with the run's own configuration; leave out yours")
        stopped = Run(folder) if folder else next(iter(unfinished_runs(workload)), None)
        if not stopped or not stopped.checkpoint.exists():
            reason = "no run was stopped that can be resumed; one that diverged cannot"
            raise UserError(f"{folder or workload}: {reason}")
        path = stopped.folder / "config.toml"
    run = pipeline.train_run(workload, load_config(config_type, path, settings or []), stopped)
    print(reporting.table(run.metrics))
    print(run.folder)

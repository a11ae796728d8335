"""The command `train`."""

from pathlib import Path
from typing import Annotated

import typer

from .. import pipeline, reporting, workloads
from ..runs import unfinished_runs
from ..utils.config import load_config
from ..utils.errors import UserError


def main(
    workload: Annotated[str, typer.Argument()] = workloads.NAMES[0],
    config: Annotated[Path | None, typer.Option(help="Default: experiments/WORKLOAD.toml.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="Set KEY=VALUE instead; repeatable.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the newest run that was stopped.")
    ] = False,
) -> None:
    """Train; the last line printed is the run's folder."""
    config_type = workloads.load(workload).Config
    path, stopped = config or Path("experiments", f"{workload}.toml"), None
    if resume:
        if config or settings:
            raise UserError("--resume: goes on with the run's own configuration; leave out yours")
        if not (runs := unfinished_runs(workload)):
            raise UserError(f"{workload}: no run was stopped that can be resumed")
        stopped, path = runs[0], runs[0].folder / "config.toml"
    run = pipeline.train_run(workload, load_config(config_type, path, settings or []), stopped)
    print(reporting.table(run.metrics))
    print(run.folder)

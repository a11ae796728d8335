"""The command `train`."""

from pathlib import Path
from typing import Annotated

import typer

from .. import pipeline, reporting, workloads
from ..utils.config import load_config


def main(
    workload: Annotated[str, typer.Argument()] = workloads.NAMES[0],
    config: Annotated[Path | None, typer.Option(help="Default: experiments/WORKLOAD.toml.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="Set KEY=VALUE instead; repeatable.")
    ] = None,
) -> None:
    """Train; the last line printed is the run's folder."""
    config_type = workloads.load(workload).Config
    path = config or Path("experiments", f"{workload}.toml")
    run = pipeline.train_run(workload, load_config(config_type, path, settings or []))
    print(reporting.table(run.metrics))
    print(run.folder)

"""The command `flow`."""

import logging
import os
from pathlib import Path
from typing import Annotated

import typer

from .. import workloads
from ..utils.errors import UserError

Strings = list[str] | None


def main(
    workload: Annotated[str, typer.Argument()] = workloads.NAMES[0],
    config: Annotated[Path | None, typer.Option(help="Default: experiments/WORKLOAD.toml.")] = None,
    settings: Annotated[Strings, typer.Option("--set", help="Set KEY=VALUE; repeatable.")] = None,
    candidates: Annotated[
        Strings, typer.Option("--candidate", help="Train one with KEY=VALUE; repeatable.")
    ] = None,
    max_drift: Annotated[float, typer.Option(help="Limit of the stability index.")] = 0.2,
    source: Annotated[Path | None, typer.Option("--score", help="Examples to predict.")] = None,
    target: Annotated[Path, typer.Option("--output", help="Their predictions.")] = Path(
        "predictions.csv"
    ),
    serve: Annotated[bool, typer.Option("--serve", help="Run when a server says so.")] = False,
    cron: Annotated[str | None, typer.Option(help="When to run, with --serve.")] = None,
) -> None:
    """Train, promote the model if it passes the gate, score a file; with --serve, on a schedule."""
    _leave_logging_to_prefect()
    from ..flows import training

    parameters = {
        "workload": workload,
        "config": str(config) if config else None,
        "settings": settings or [],
        "candidates": candidates or [],
        "max_drift": max_drift,
        "source": str(source) if source else None,
        "target": str(target),
    }
    training.read_configs(workload, config, settings or [], candidates or [])
    if cron and not serve:
        raise UserError("--cron: needs --serve")
    if serve:
        training.serve(parameters, cron)
    else:
        print(training.run(parameters))


def _leave_logging_to_prefect() -> None:
    """Let Prefect's handler, which names the step, print all lines, at the level asked for."""
    root = logging.getLogger()
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", logging.getLevelName(root.level))
    for handler in [one for one in root.handlers if type(one) is logging.StreamHandler]:
        root.removeHandler(handler)

"""The command `flow`."""

import logging
import os
from typing import Annotated

import typer

from .. import workloads

Strings = list[str] | None
PAIR = "KEY=VALUE"


def main(
    workload: Annotated[str, typer.Argument()] = workloads.NAMES[0],
    config: Annotated[str | None, typer.Option(help="Default: experiments/WORKLOAD.toml.")] = None,
    settings: Annotated[Strings, typer.Option("--set", metavar=PAIR, help="Repeatable.")] = None,
    candidate: Annotated[
        Strings, typer.Option(metavar=PAIR, help="Repeatable; the best wins.")
    ] = None,
    max_drift: Annotated[float, typer.Option(help="Limit of the stability index.")] = 0.2,
    score: Annotated[str | None, typer.Option(help="Examples to predict.")] = None,
    output: Annotated[str, typer.Option(help="Their predictions.")] = "predictions.csv",
    serve: Annotated[bool, typer.Option("--serve", help="Run when a server says so.")] = False,
    cron: Annotated[str | None, typer.Option(help="When to run; implies --serve.")] = None,
) -> None:
    """Train, promote the model if it passes the gate, score a file; with --serve, on a schedule."""
    _leave_logging_to_prefect()
    from ..flows import training

    parameters = {
        "workload": workload,
        "config": config,
        "settings": settings or [],
        "candidates": candidate or [],
        "max_drift": max_drift,
        "source": score,
        "target": output,
    }
    training.read_configs(workload, config, settings or [], candidate or [])
    if serve or cron:
        training.serve(parameters, cron)
    else:
        print(training.run(parameters))


def _leave_logging_to_prefect() -> None:
    """Let Prefect's handler, which names the step, print all lines, at the level asked for."""
    root = logging.getLogger()
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", logging.getLevelName(root.level))
    root.handlers = [one for one in root.handlers if type(one) is not logging.StreamHandler]

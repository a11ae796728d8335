"""The command `promote`."""

from typing import Annotated

import typer

from .. import pipeline, promotion, workloads
from . import RunFolder


def main(
    workload: Annotated[str, typer.Argument()] = workloads.NAMES[0],
    run: RunFolder = None,
    force: Annotated[bool, typer.Option("--force", help="Do not compare.")] = False,
) -> None:
    """Put a run's model into use if it beats the present one on the same held-out data."""
    print(promotion.promote(pipeline.find_run(workload, run), force))

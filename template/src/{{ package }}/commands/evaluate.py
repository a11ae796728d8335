"""The command `evaluate`."""

from typing import Annotated

import typer

from .. import pipeline, reporting, workloads
from . import RunFolder


def main(
    workload: Annotated[str, typer.Argument()] = workloads.NAMES[0], run: RunFolder = None
) -> None:
    """Evaluate a saved model, beside the baseline."""
    print(reporting.table(pipeline.evaluate_run(pipeline.find_run(workload, run))))

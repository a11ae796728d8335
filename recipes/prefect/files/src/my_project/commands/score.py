"""The command `score`."""

from pathlib import Path
from typing import Annotated

import typer

from .. import pipeline, promotion, workloads
from . import RunFolder


def main(
    source: Annotated[Path, typer.Argument(help="Examples, as .csv or .jsonl, of any size.")],
    target: Annotated[Path, typer.Argument(help="Predictions, as .csv or .jsonl.")],
    workload: str = workloads.NAMES[0],
    run: RunFolder = None,
) -> None:
    """Write a prediction for each example in SOURCE, by the champion, piece by piece."""
    from ..flows.scoring import score_file

    chosen = pipeline.find_run(workload, run) if run else promotion.served_run(workload)
    print(f"{target}: {score_file(chosen, source, target)} predictions by {chosen.folder.name}")

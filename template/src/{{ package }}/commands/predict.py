"""The command `predict`."""

from pathlib import Path
from typing import Annotated

import typer

from .. import pipeline, scoring, workloads


def main(
    file: Annotated[Path, typer.Argument(help="Examples: .csv, .jsonl, or as the data are.")],
    workload: str = workloads.NAMES[0],
    run: Annotated[Path | None, typer.Option(help="Default: the champion, or the newest.")] = None,
    output: Annotated[Path | None, typer.Option(help="Default: the standard output.")] = None,
) -> None:
    """Write a prediction for each example in FILE."""
    chosen = pipeline.find_run(workload, run) if run else pipeline.served_run(workload)
    scoring.predict_file(chosen, file, output)

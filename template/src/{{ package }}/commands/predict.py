"""The command `predict`."""

from pathlib import Path
from typing import Annotated

import typer

from .. import pipeline, workloads
from ..utils.artifacts import write_text
from ..utils.records import check_suffix, format_predictions, read_records, validate
from . import RunFolder


def main(
    file: Annotated[Path, typer.Argument(help="Examples, as .csv or .jsonl.")],
    workload: str = workloads.NAMES[0],
    run: RunFolder = None,
    output: Annotated[Path | None, typer.Option(help="Default: the standard output.")] = None,
) -> None:
    """Write a prediction for each example in FILE."""
    suffix = check_suffix(output or file)
    model = pipeline.load_model(pipeline.find_run(workload, run))
    predictions = model.predict(validate(read_records(file), model.example_type, file))
    text = format_predictions(predictions, suffix)
    if output:
        write_text(output, text)
    else:
        print(text, end="")

"""Predictions for a file of examples, in memory that does not grow with the file."""

import sys
from contextlib import nullcontext
from itertools import islice
from pathlib import Path

from . import pipeline
from .runs import Run
from .utils.artifacts import open_text
from .utils.errors import UserError
from .utils.records import check_suffix, format_predictions, stream_records, validate

CHUNK = 1000  # examples in memory at a time


def predict_file(run: Run, source: Path, target: Path | None) -> None:
    """Write a prediction for each example in `source`, in its order; without a target print them.

    The target appears when it is complete: what was interrupted left none, and a rerun writes the
    same bytes. A UserError where the source is bad, or where it would be overwritten.
    """
    suffix, first = check_suffix(target or source), 1
    if target and source.resolve() == target.resolve():
        raise UserError(f"{target}: is the file that is read; name another one for predictions")
    model, records = pipeline.load_model(run), stream_records(source)
    with open_text(target) if target else nullcontext(sys.stdout) as file:
        while (chunk := list(islice(records, CHUNK))) or first == 1:
            examples = validate(chunk, model.example_type, source, first)
            file.write(format_predictions(model.predict(examples), suffix, header=first == 1))
            first += len(chunk)

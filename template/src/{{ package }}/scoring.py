"""Predictions for a file of examples, in memory that does not grow with the file."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from . import pipeline
from .runs import Run
from .utils.artifacts import open_text
from .utils.errors import UserError
from .utils.records import check_suffix, format_predictions, stream_records, validate

CHUNK = 1000  # examples in memory at a time


def predictions(run: Run, source: Path, suffix: str) -> Iterator[str]:
    """Yield text in the format `suffix`, of the predictions for each CHUNK examples in `source`.

    A UserError where the source is bad.
    """
    model, records, first = pipeline.load_model(run), stream_records(source), 1
    while (chunk := list(islice(records, CHUNK))) or first == 1:
        examples = validate(chunk, model.example_type, source, first)
        yield format_predictions(model.predict(examples), suffix, header=first == 1)
        first += len(chunk)


def predict_file(run: Run, source: Path, target: Path) -> None:
    """Write a prediction for each example in `source`, in its order.

    The target appears when it is complete: what was interrupted left none, and a rerun writes the
    same bytes. A UserError where the source is bad, or where it would be overwritten.
    """
    suffix = check_suffix(target)
    if source.resolve() == target.resolve():
        raise UserError(f"{target}: is the file that is read; name another one for predictions")
    with open_text(target) as file:
        file.writelines(predictions(run, source, suffix))

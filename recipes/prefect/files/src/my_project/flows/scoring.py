"""Batch scoring: a file of examples in, a file of predictions out, in memory that stays flat."""

from itertools import islice
from pathlib import Path

from .. import pipeline
from ..runs import Run
from ..utils.artifacts import open_text
from ..utils.errors import UserError
from ..utils.records import check_suffix, format_predictions, stream_records, validate

CHUNK = 1000  # examples in memory at a time


def score_file(run: Run, source: Path, target: Path) -> int:
    """Write a prediction for each example in `source`, in its order, and return their number.

    The target appears when it is complete: what was interrupted left nothing, and a rerun writes
    the same bytes. A UserError where the source is bad, or where it would be overwritten.
    """
    suffix, count = check_suffix(target), 0
    if source.resolve() == target.resolve():
        raise UserError(f"{target}: is the file that is read; name another one for predictions")
    model, records = pipeline.load_model(run), stream_records(source)
    with open_text(target) as file:
        while (chunk := list(islice(records, CHUNK))) or not count:
            examples = validate(chunk, model.example_type, source, first=count + 1)
            file.write(format_predictions(model.predict(examples), suffix, header=not count))
            count += len(chunk)
    return count

"""Predictions for a file of examples, in memory that does not grow with the file."""

import sys
from contextlib import nullcontext
from itertools import islice
from pathlib import Path

from . import pipeline, workloads
from .runs import Run
from .utils.artifacts import open_text
from .utils.config import load_config
from .utils.errors import UserError
from .utils.records import check_suffix, format_predictions, validate

CHUNK = 1000  # examples in memory at a time


def predict_file(run: Run, source: Path, target: Path | None) -> None:
    """Write a prediction for each example in `source`, in its order; without a target print them.

    The target appears when it is complete: what was interrupted left none, and a rerun writes the
    same bytes. A UserError where the source is bad, or where it would be overwritten.
    """
    printed = ".csv" if source.suffix.lower() == ".csv" else ".jsonl"
    suffix, first = check_suffix(target) if target else printed, 1
    if target and source.resolve() == target.resolve():
        raise UserError(f"{target}: is the file that is read; name another one for predictions")
    model, workload = pipeline.load_model(run), workloads.load(run.metadata["workload"])
    records = workload.stream(load_config(workload.Config, run.folder / "config.toml"), source)
    with open_text(target) if target else nullcontext(sys.stdout) as file:
        while (chunk := list(islice(records, CHUNK))) or first == 1:
            examples = validate(chunk, model.example_type, source, first)
            file.write(format_predictions(model.predict(examples), suffix, header=first == 1))
            first += len(chunk)

"""Examples in, predictions out: CSV with a header, or JSON lines."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

from pydantic import TypeAdapter, ValidationError

from .config import explain
from .errors import UserError

csv.field_size_limit(2**31 - 1)  # a cell may hold an image


def read_records(path: Path) -> list[dict[str, Any]]:
    """Read a whole file; see `stream_records`."""
    return list(stream_records(path))


def stream_records(path: Path) -> Iterator[dict[str, Any]]:
    """Read a file as it is, record by record; in CSV an empty cell is a missing value.

    A UserError tells of a file that is missing, of another format, or damaged.
    """
    suffix = check_suffix(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from json_lines(file) if suffix == ".jsonl" else csv_rows(file)
    except UnicodeDecodeError:
        raise UserError(f"{path}: is not encoded in UTF-8; save it again as UTF-8") from None
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read as {suffix[1:]}: {error}") from None


def check_suffix(path: Path) -> str:
    """Return `.csv` or `.jsonl`; a UserError where the name of a file ends in neither."""
    if path.suffix.lower() not in (".csv", ".jsonl"):
        raise UserError(f"{path}: unknown format; its name must end in .csv or .jsonl")
    return path.suffix.lower()


def validate(
    records: Iterable[Any], example_type: type[Any], source: object, first: int = 1
) -> list[Any]:
    """Turn records into `example_type`, a dataclass; what it does not name is ignored.

    A UserError names the source, the row (the first after the header is row 1) and the column.
    """
    adapter, examples = TypeAdapter(example_type), []
    for row, record in enumerate(records, start=first):
        try:
            examples.append(adapter.validate_python(record))
        except ValidationError as error:
            raise UserError(f"{source}, row {row}: {explain(error)}") from None
    if not examples:
        raise UserError(f"{source}: holds no example")
    return examples


def format_examples(examples: Sequence[Any]) -> str:
    """Return examples as JSON lines, which can be read and validated again."""
    adapter = TypeAdapter(type(examples[0]))
    return "".join(adapter.dump_json(one, by_alias=True).decode() + "\n" for one in examples)


def format_predictions(predictions: Sequence[Any], suffix: str, header: bool = True) -> str:
    """Return predictions as JSON lines, or as CSV with one column per probability."""
    if suffix == ".jsonl":
        return "".join(json.dumps(vars(one), allow_nan=False) + "\n" for one in predictions)
    labels = list(predictions[0].probabilities or {})
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    if header:
        writer.writerow(["prediction", *(f"probability_{label}" for label in labels)])
    for one in predictions:
        writer.writerow([one.prediction, *(one.probabilities[label] for label in labels)])
    return text.getvalue()


def json_lines(file: TextIO) -> Iterator[Any]:
    """Give what each line holds; a ValueError names the line that is no JSON."""
    for number, line in enumerate(file, start=1):
        try:
            if line.strip():
                yield json.loads(line)
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from None


def csv_rows(
    file: TextIO, delimiter: str = ",", named: Callable[[list[str]], list[str]] = list
) -> Iterator[dict[str, Any]]:
    """Give a record for each row; `named` turns the header into the names of the columns."""
    rows = (row for row in csv.reader(file, delimiter=delimiter, strict=True) if row)
    header = named([name.strip() for name in next(rows, [])])
    if len(header) == 1 and any(other in header[0] for other in {*",;\t"} - {delimiter}):
        raise ValueError(f"its columns are not separated by {delimiter!r}; save it so")
    if len(set(header)) < len(header):
        raise ValueError("two columns have the same name")
    for number, row in enumerate(rows, start=1):
        if len(row) != len(header):
            raise ValueError(f"row {number} has {len(row)} cells, the header {len(header)}")
        yield dict(zip(header, [cell or None for cell in row], strict=True))

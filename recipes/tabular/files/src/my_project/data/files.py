"""Reading the records of a file as `[form]` of the configuration says, and its SHA-256."""

import csv
import gzip
import hashlib
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

import pyarrow.parquet
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from ..utils.errors import UserError
from ..utils.records import csv_rows, json_lines
from .rows import TYPES, Kinds, free

SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")
ADAPTERS: dict[str, TypeAdapter[Any]] = {kind: TypeAdapter(TYPES[kind]) for kind in TYPES}


class Form(BaseModel):
    """How a file is written: what its text is like, and columns that are read in their own way.

    `numbered` headers may be empty or there twice. `missing` are words for a missing value. In
    columns of `decimal_comma` 1.234,56 is a number, in those of `times` the time of day is left
    out, in those of `unreadable` what is not of the kind is missing. One in `every` rows is read.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    delimiter: str = Field(default=",", min_length=1, max_length=1)
    encoding: str = "utf-8-sig"
    numbered: bool = False
    missing: list[str] = []
    decimal_comma: list[str] = []
    times: list[str] = []
    unreadable: list[str] = []
    every: int = Field(default=1, ge=1)


def read(path: Path, form: Form, kinds: Kinds) -> tuple[list[dict[Any, Any]], str]:
    """Return a record for each row, in which None is a missing value, and the file's SHA-256.

    A UserError tells of a file that is missing, of another format, or damaged.
    """
    records = list(stream(path, form, kinds, form.every))
    for name in kinds.keys() & set(chain.from_iterable(records)):
        for record in records:
            record.setdefault(name, None)  # JSON may leave some out
    with path.open("rb") as file:
        return records, hashlib.file_digest(file, "sha256").hexdigest()


def stream(path: Path, form: Form, kinds: Kinds, every: int = 1) -> Iterator[dict[Any, Any]]:
    """Give the records of a file, or one in `every`, one by one; see `read`."""
    suffix = suffix_of(path)
    if suffix not in SUFFIXES:
        raise UserError(f"{path}: unknown format; its name must end in {', '.join(SUFFIXES)}")
    try:
        for record in islice(_records(path, suffix, form), 0, None, every):
            if not isinstance(record, dict):
                raise ValueError("a line is no object")
            yield record | {k: _value(record[k], k, kinds, form) for k in kinds.keys() & record}
    except (OSError, EOFError, LookupError, ValueError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read as {suffix[1:]}: {error}") from None


def suffix_of(path: Path) -> str:
    """Return how the name of a file ends, without the `.gz` of a packed one."""
    return (path.with_suffix("") if path.suffix.lower() == ".gz" else path).suffix.lower()


def _records(path: Path, suffix: str, form: Form) -> Iterator[dict[Any, Any]]:
    if suffix == ".parquet":
        for batch in pyarrow.parquet.ParquetFile(path).iter_batches():
            yield from batch.to_pylist()
        return
    opened = gzip.open if path.suffix.lower() == ".gz" else open
    with opened(path, "rt", encoding=form.encoding, newline="") as file:
        rows = csv_rows(file, form.delimiter, _numbered if form.numbered else list)
        yield from json_lines(file) if suffix == ".jsonl" else rows


def _numbered(header: list[str]) -> list[str]:
    names: list[str] = []
    for number, name in enumerate(header, start=1):
        names.append(free(name or f"column_{number}", names))
    return names


def _value(value: Any, name: str, kinds: Kinds, form: Form) -> Any:
    """Return a cell without blanks around it; None where it is missing."""
    if isinstance(value, str):
        value = value.strip(" ")
    if value is None or value != value or value in ("", *form.missing):  # NaN is not itself
        return None
    if name in form.decimal_comma and isinstance(value, str):
        value = value.replace(".", "").replace(",", ".")
    if name in form.times:
        value = str(value)[:10]
    if name in form.unreadable:
        try:
            ADAPTERS[kinds[name]].validate_python(value)
        except ValidationError:
            return None
    return value

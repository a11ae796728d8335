"""Reading the records of a file as `[form]` of the configuration says, and its SHA-256."""

import csv
import gzip
import hashlib
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from ..utils.errors import UserError
from ..utils.records import csv_rows, json_lines
from .rows import TYPES, Kinds

SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")


class Form(BaseModel):
    """How a file is written; the lists name columns. experiments/tabular.toml explains each key."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    delimiter: str = Field(default=",", min_length=1, max_length=1)
    encoding: str = "utf-8-sig"
    numbered: bool = False
    missing: list[str] = Field(default_factory=list)
    decimal_comma: list[str] = Field(default_factory=list)
    times: list[str] = Field(default_factory=list)
    unreadable: list[str] = Field(default_factory=list)
    every: int = Field(default=1, ge=1)


def read(path: Path, form: Form, kinds: Kinds) -> tuple[list[dict[Any, Any]], str]:
    """Return a record for each row, in which None is a missing value, and the file's SHA-256.

    A UserError tells of a file that is missing, of another format, or damaged.
    """
    suffix = Path(path.stem if path.suffix.lower() == ".gz" else path.name).suffix.lower()
    if suffix not in SUFFIXES:
        raise UserError(f"{path}: unknown format; its name must end in {', '.join(SUFFIXES)}")
    try:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        records = list(islice(_records(path, suffix, form), 0, None, form.every))
    except UnicodeDecodeError:
        coding = form.encoding.removesuffix("-sig").upper()
        raise UserError(f"{path}: is not encoded in {coding}; save it again as {coding}") from None
    except (OSError, EOFError, LookupError, ValueError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read as {suffix[1:]}: {error}") from None
    kinds = {name: kinds[name] for name in form.unreadable if name in kinds}
    adapters = {name: TypeAdapter(TYPES[kind]) for name, kind in kinds.items()}
    names = dict.fromkeys(name for record in records for name in record)  # JSON may leave some out
    return [
        {name: _value(name, record.get(name), form, adapters.get(name)) for name in names}
        for record in records
    ], sha256


def _records(path: Path, suffix: str, form: Form) -> Iterator[dict[Any, Any]]:
    if suffix == ".parquet":
        table = pd.read_parquet(path, dtype_backend="numpy_nullable").astype(object)
        yield from table.where(table.notna(), None).to_dict("records")
        return
    opened = gzip.open if path.suffix.lower() == ".gz" else open
    with opened(path, "rt", encoding=form.encoding, newline="") as file:
        if suffix == ".jsonl":
            for number, record in enumerate(json_lines(file), start=1):
                if not isinstance(record, dict):
                    raise ValueError(f"row {number} is no object")
                yield record
        else:
            yield from csv_rows(file, form.delimiter, _numbered if form.numbered else _stripped)


def _stripped(header: list[str]) -> list[str]:
    return [name.strip() for name in header]


def _numbered(header: list[str]) -> list[str]:
    """Name what has no name, and number what has the name of another."""
    found: list[str] = []
    for number, name in enumerate(_stripped(header), start=1):
        plain = name or f"column_{number}"
        tries = (f"{plain}_{nth}" if nth > 1 else plain for nth in count(1))
        found.append(next(one for one in tries if one not in found))
    return found


def _value(name: str, value: Any, form: Form, adapter: TypeAdapter[Any] | None) -> Any:
    """Return a cell without blanks around it; None where it is missing."""
    if isinstance(value, str):
        value = value.strip()
        value = None if value in ("", *form.missing) else value
    if value is None:
        return None
    if name in form.decimal_comma:
        value = str(value).replace(".", "").replace(",", ".")
    if name in form.times:
        value = str(value)[:10]
    if adapter:
        try:
            adapter.validate_python(value)
        except ValidationError:
            return None
    return value

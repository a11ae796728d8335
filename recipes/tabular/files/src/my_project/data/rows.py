"""The dataclass of one row, made from the columns and their kinds, and the table of many rows."""

import itertools
import keyword
import re
import unicodedata
from collections.abc import Container, Sequence
from dataclasses import make_dataclass
from datetime import date
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from pydantic import BeforeValidator, Field, FiniteFloat
from pydantic_core import PydanticCustomError

Kind = Literal["numeric", "categorical", "boolean", "date"]
Kinds = dict[str, Kind]


def _text(value: Any) -> Any:
    """Write a number or a truth value as text; 1.0 becomes 1, however a file may store it."""
    known = isinstance(value, str | int | float)  # True is an int
    return re.sub(r"^(-?\d+)\.0+$", r"\1", str(value).strip(" ")) if known else value


def _day(value: Any) -> date:
    """Refuse the numbers and times of day that pydantic takes for dates; Parquet has midnights."""
    if not re.fullmatch(r"\d{4}-\d\d-\d\d( 00:00:00)?", str(value)):
        raise PydanticCustomError("day", "must be a date like 2026-01-31")
    return date.fromisoformat(str(value)[:10])


Number = Annotated[FiniteFloat, Field(gt=-1e30, lt=1e30)]  # sums of squares stay finite
Text = Annotated[str, BeforeValidator(_text, json_schema_input_type=str | float | bool)]
Day = Annotated[date, BeforeValidator(_day)]
TYPES: dict[str, Any] = {"numeric": Number, "categorical": Text, "boolean": bool, "date": Day}


def make_row_type(columns: Kinds, required: Kinds) -> type[Any]:
    """Make the dataclass of one row; in `columns`, None is a missing value.

    A header is a field's alias; the field has its name, as far as Python allows.
    """
    fields: dict[str, Any] = {}
    for header, kind in (columns | required).items():
        value: Any = TYPES[kind] if header in required else TYPES[kind] | None
        fields[_field_name(header, fields)] = Annotated[value, Field(alias=header)]
    return make_dataclass("Example", fields.items(), namespace={"__doc__": "One row of a table."})


def _field_name(header: str, taken: Container[str]) -> str:
    """Make a free Python name of a header: `home country` gives home_country, `class` class_.

    What every class has, `mro`, would be taken for the default value of the field.
    """
    plain = re.sub(r"\W+", "_", unicodedata.normalize("NFKC", header)).strip("_")
    plain += "_" * (keyword.iskeyword(plain) or hasattr(type, plain))
    return free(plain if plain.isidentifier() else f"column_{plain}", taken)


def free(name: str, taken: Container[str]) -> str:
    """Return a name, with a number behind it where it is taken."""
    names = (f"{name}_{number}" if number > 1 else name for number in itertools.count(1))
    return next(one for one in names if one not in taken)


def to_table(rows: Sequence[Any], columns: Kinds) -> pd.DataFrame:
    """Turn rows into what models compute with: text, and floats (a date: its day number)."""
    values = [list(vars(row).values()) for row in rows]
    table: dict[str, Any] = {}
    for number, (name, kind) in enumerate(columns.items()):
        column = [row[number] for row in values]
        if kind == "date":
            column = [day and day.toordinal() for day in column]
        text = kind == "categorical"
        # Arrays rather than Series: nothing to align, which takes most of the time for a few rows.
        table[name] = pd.Series(column, dtype=object) if text else np.array(column, dtype=float)
    return pd.DataFrame(table)

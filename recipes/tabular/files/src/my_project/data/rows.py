"""The dataclass of one row, made from the columns and their kinds, and the table of many rows."""

import datetime
import keyword
from collections.abc import Sequence
from dataclasses import make_dataclass
from typing import Annotated, Any, Literal

import pandas as pd
from pydantic import ConfigDict, Field, FiniteFloat

Kind = Literal["numeric", "categorical", "boolean", "date"]
Kinds = dict[str, Kind]

TYPES = {"numeric": FiniteFloat, "categorical": str, "boolean": bool, "date": datetime.date}


def make_row_type(columns: Kinds, required: Kinds) -> type[Any]:
    """Make the dataclass of one row; in `columns`, None is a missing value.

    A header that is no Python name, like `mean radius`, is the alias of a numbered field.
    """
    fields: list[tuple[str, Any]] = []
    for number, (header, kind) in enumerate((columns | required).items()):
        plain = header.isidentifier() and not keyword.iskeyword(header)
        value: Any = TYPES[kind] if header in required else TYPES[kind] | None
        name = header if plain else f"column_{number}"
        fields.append((name, Annotated[value, Field(alias=header)]))
    config = ConfigDict(validate_by_name=True, validate_by_alias=True, coerce_numbers_to_str=True)
    return make_dataclass("Example", fields, namespace={"__pydantic_config__": config})


def to_table(rows: Sequence[Any], columns: Kinds) -> pd.DataFrame:
    """Turn rows into what models compute with: text, and floats (a date: its day number)."""
    values = [list(vars(row).values()) for row in rows]
    table = pd.DataFrame(values, columns=list(columns), dtype=object)
    for name, kind in columns.items():
        if kind == "date":
            table[name] = table[name].map(datetime.date.toordinal, na_action="ignore")
        if kind != "categorical":
            table[name] = table[name].astype(float)
    return table

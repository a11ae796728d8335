"""The rows that a run keeps to try its model with, and a service shows: none is of the data."""

from typing import Any

from ..utils.records import validate
from .made_up import records
from .rows import make_row_type
from .schema import SCHEMA
from .tabular import Data


def examples(data: Data, count: int = 5) -> list[Any]:
    """Return made-up rows, in which a column that the schema does not know is missing.

    Only the data that come with scikit-learn are shown as they are.
    """
    if not data.config.path:
        return data.held_out[:count]
    columns, rows = data.config.columns, records(count)
    known = {one.name for one in SCHEMA.of("feature") if one.kind == columns.get(one.name)}
    shown = [{name: row[name] if name in known else None for name in columns} for row in rows]
    return validate(shown, make_row_type(columns, {}), "made-up rows")

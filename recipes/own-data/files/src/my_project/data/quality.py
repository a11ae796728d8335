"""Are the data still those for which this project was made? A changed column is told by name."""

from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ..utils.errors import UserError
from .files import read
from .rows import TYPES
from .schema import SCHEMA, Column
from .tabular import Config

MORE_MISSING = 0.1  # of the rows than before is a change
OUTSIDE = 0.05  # of the values outside of what was known is a change


def check(config: Config) -> str:
    """Compare the configured file with the schema, and say that all is well.

    A UserError names the columns that have changed; no value of the file is repeated.
    """
    assert config.path
    used = {column.name: column.kind for column in SCHEMA.of("feature", "target", "group")}
    records, sha256 = read(config.path, config.form, used)
    if found := list(changes(records)):
        remedy = "mend the file, or take it as it is now: mlmw data refresh"
        raise UserError(f"{config.path}: {'; '.join(found)}; {remedy}")
    same = "the same file" if sha256 == SCHEMA.sha256 else "another file"
    return f"{config.path}: {len(records):,} rows, {len(used)} columns as expected; {same}"


def changes(records: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Tell in which ways records differ from what is known of the columns."""
    if not records:
        yield "it has no rows"
        return
    for column in SCHEMA.of("feature", "target", "group"):
        if column.name not in records[0]:
            new = sorted(records[0].keys() - {known.name for known in SCHEMA.columns})
            yield f"column {column.name!r} is missing" + (
                f" (new: {', '.join(new)})" if new else ""
            )
        else:
            yield from _changes(column, [record[column.name] for record in records])


def _changes(column: Column, cells: Sequence[Any]) -> Iterator[str]:
    what, values, bad = f"column {column.name!r}", list[Any](), list[int]()
    is_class = column.role == "target" and SCHEMA.task == "classification"
    kind = TypeAdapter(TYPES["categorical" if is_class else column.kind])
    for row, cell in enumerate(cells, start=1):
        try:
            values += [] if cell is None else [kind.validate_python(cell)]
        except ValidationError:
            bad.append(row)
    if bad:
        yield f"{what} has {len(bad):,} values that are not {column.kind}, first in row {bad[0]}"
    missing = 1 - (len(values) + len(bad)) / len(cells)
    if missing > column.missing + MORE_MISSING:
        yield f"{what} is missing in {missing:.0%} of the rows, not in {column.missing:.0%}"
    if column.categories:
        known = {kind.validate_python(name) for name in column.categories}
        outside = sum(value not in known for value in values) / max(len(values), 1)
        rare = 1 - sum(column.categories.values())
        if outside > rare + OUTSIDE:
            yield f"{what} has other values than before in {outside:.0%} of the rows"
        if is_class and (gone := known - set(values)):
            yield f"{what} has no row of {', '.join(sorted(gone))}"
    elif column.quartiles:
        low, high = column.quartiles[0], column.quartiles[-1]
        outside = sum(not low <= value <= high for value in values) / max(len(values), 1)
        if outside > OUTSIDE:
            yield f"{what} is outside of {low:g} to {high:g} in {outside:.0%} of the rows"

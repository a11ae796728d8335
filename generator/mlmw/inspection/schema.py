"""What a project keeps of a file: how to read it, and its columns, but no row of it."""

import math
from collections.abc import Mapping
from datetime import date
from typing import Any

from mlmw.inspection.engine import PACKING, Table
from mlmw.inspection.files import DataFile
from mlmw.inspection.roles import FEWEST_OF_CLASS, Choices, Column, Roles

FEWEST_OF_CATEGORY = 5  # a value that fewer rows have could point to one of them
DIGITS = 6
MOST_ROWS = 200_000  # that a project holds in memory; of more it takes each second, third ...
MOST_BYTES = 256 * 2**20


def schema(file: DataFile, table: Table, roles: Roles, choices: Choices) -> dict[str, Any]:
    """What to keep; of columns that are not used nothing but the name and the reason."""
    profiles = [column.profile for column in roles.columns]
    return {
        "file": file.path.name,
        "format": file.format,
        "delimiter": file.delimiter,
        "encoding": file.encoding,
        "missing_as": sorted({text for one in profiles for text in one.missing_as}),
        "decimal_comma": any(one.decimal_comma for one in profiles),
        "numbered": file.numbered,
        "rows": table.rows,
        "every": _every(file, table, roles),
        "sample": table.sample,
        "target": roles.target.name,
        "task": roles.task,
        "positive": roles.positive,
        "columns": [
            _column(column, roles.task) | _marks(column, choices) for column in roles.columns
        ],
        "warnings": list(roles.warnings),
    }


def _marks(column: Column, choices: Choices) -> dict[str, Any]:
    """What a person decided of a column, to be kept when the file is looked at again."""
    name = column.profile.name
    found = {"chosen": name in choices.uses, "as_text": name in choices.texts}
    return {mark: True for mark in found if found[mark]}


def _every(file: DataFile, table: Table, roles: Roles) -> int:
    """How many rows apart those are that a project learns from, so that memory suffices."""
    size = file.path.stat().st_size * (PACKING if file.compressed else 1)
    wanted = math.ceil(max(table.rows / MOST_ROWS, size / MOST_BYTES))
    if roles.task == "regression":
        return wanted
    rarest = roles.target.categories[-1][1] * roles.target.present
    return max(1, min(wanted, int(rarest / (2 * FEWEST_OF_CLASS))))


def _column(column: Column, task: str) -> dict[str, Any]:
    profile = column.profile
    known: dict[str, Any] = {"name": profile.name, "kind": profile.kind, "role": column.role}
    if column.why:
        known["why"] = column.why
    if column.personal:
        known["personal"] = True
    if column.role in ("unused", "group"):
        return known
    marks = ("decimal_comma", "times", "unreadable")
    known |= {mark: True for mark in marks if getattr(profile, mark)}
    known |= {"missing": round(profile.missing, DIGITS), "distinct": profile.distinct}
    if profile.quartiles:
        low, *inner, high = profile.quartiles  # the ends as they are: nothing is outside of them
        known["quartiles"] = [low, *(float(f"{number:.{DIGITS}g}") for number in inner), high]
        known["whole"] = profile.whole
    if profile.days:
        known["days"] = list(profile.days)
    is_class = column.role == "target" and task == "classification"
    if profile.kind in ("categorical", "boolean") or is_class:
        known["categories"] = {
            text: round(share, DIGITS)
            for text, share in profile.categories
            if share * profile.present >= FEWEST_OF_CATEGORY
        }
    if column.role == "feature":
        known["example"] = _example(known)
    return known


def _example(known: Mapping[str, Any]) -> object:
    """A value of the middle of a column, as JSON has it: a row of these is nobody's."""
    if quartiles := known.get("quartiles"):
        return round(quartiles[2]) if known["whole"] else float(f"{quartiles[2]:.3g}")
    if days := known.get("days"):
        first, last = (date.fromisoformat(day).toordinal() for day in days)
        return date.fromordinal((first + last) // 2).isoformat()
    commonest = next(iter(known["categories"]), "other")
    is_truth = known["kind"] == "boolean"
    return commonest.lower() in ("true", "yes", "t", "y", "on", "1") if is_truth else commonest

"""What a project keeps of a file: how to read it, and its columns, but no row of it."""

from typing import Any

from mlmw.inspection.engine import Table
from mlmw.inspection.files import DataFile
from mlmw.inspection.roles import Column, Roles

FEWEST_OF_CATEGORY = 5  # a value that fewer rows have could point to one of them
DIGITS = 6


def schema(file: DataFile, table: Table, roles: Roles) -> dict[str, Any]:
    """What to keep; of columns that are not used nothing but the name and the reason."""
    profiles = [column.profile for column in roles.columns]
    return {
        "file": file.path.name,
        "format": file.format,
        "delimiter": file.delimiter,
        "encoding": file.encoding,
        "missing_as": sorted({text for one in profiles for text in one.missing_as}),
        "decimal_comma": any(one.decimal_comma for one in profiles),
        "rows": table.rows,
        "sample": table.sample,
        "target": roles.target.name,
        "task": roles.task,
        "positive": roles.positive,
        "columns": [_column(column) for column in roles.columns],
        "warnings": list(roles.warnings),
    }


def _column(column: Column) -> dict[str, Any]:
    profile = column.profile
    known: dict[str, Any] = {"name": profile.name, "kind": profile.kind, "role": column.role}
    if column.why:
        known["why"] = column.why
    if column.personal:
        known["personal"] = True
    if column.role in ("unused", "group"):
        return known
    known |= {"missing": round(profile.missing, DIGITS), "distinct": profile.distinct}
    if profile.quartiles:
        known["quartiles"] = [float(f"{number:.{DIGITS}g}") for number in profile.quartiles]
        known["whole"] = profile.whole
    if profile.days:
        known["days"] = list(profile.days)
    if profile.kind in ("categorical", "boolean") or column.role == "target":
        known["categories"] = {
            text: round(share, DIGITS)
            for text, share in profile.categories
            if share * profile.present >= FEWEST_OF_CATEGORY
        }
    return known

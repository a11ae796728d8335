"""What was found in a file, as text."""

from collections.abc import Mapping
from typing import Any

from mlmw import layout
from mlmw.inspection.files import DELIMITERS

WIDEST = 30  # characters of a name or of values
FORMATS = {"csv": "CSV", "jsonl": "JSON lines", "parquet": "Parquet"}
ENCODINGS = {"utf-8-sig": "UTF-8", "utf-16": "UTF-16", "cp1252": "Windows-1252"}
HEADER = ("COLUMN", "KIND", "USE", "MISSING", "VALUES", "")


def text(schema: Mapping[str, Any]) -> str:
    """The whole report: the file, the target, a line for each column, the warnings."""
    columns = schema["columns"]
    form = [FORMATS[schema["format"]]]
    if schema["delimiter"]:
        form.append(f"separated by {DELIMITERS[schema['delimiter']]}")
    if schema["encoding"]:
        form.append(ENCODINGS[schema["encoding"]])
    if schema["decimal_comma"]:
        form.append("decimal commas")
    lines = [
        f"{schema['file']}: {schema['rows']:,} rows, {len(columns)} columns ({', '.join(form)})",
        f"Target: {schema['target']}, {_task(schema)}",
        "",
        *layout.columns([HEADER, *map(_row, columns)]),
    ]
    if schema["missing_as"]:
        lines += ["", f"Read as missing: an empty cell, {', '.join(schema['missing_as'])}"]
    if schema["warnings"]:
        lines += ["", *(f"Note: {warning}" for warning in schema["warnings"])]
    return "\n".join(lines)


def _task(schema: Mapping[str, Any]) -> str:
    if schema["task"] == "regression":
        return "a number (regression)"
    aim = next(one for one in schema["columns"] if one["role"] == "target")
    shares = list(aim["categories"].items())
    told = ", ".join(f"{_cut(name)} {share:.1%}" for name, share in shares[:4])
    more = f" and {len(shares) - 4} more" if len(shares) > 4 else ""
    return f"{len(shares)} classes (classification): {told}{more}"


def _row(column: Mapping[str, Any]) -> tuple[str, ...]:
    use = "-" if column["role"] == "unused" else column["role"]
    missing = f"{column['missing']:.1%}" if column.get("missing") else ""
    why = column.get("why", "")
    return (_cut(column["name"]), column["kind"], use, missing, values(column), why)


def values(column: Mapping[str, Any]) -> str:
    """The range of a column, or its categories; empty where nothing is kept of it."""
    if quartiles := column.get("quartiles"):
        return f"{quartiles[0]:g} to {quartiles[-1]:g}"
    if days := column.get("days"):
        return f"{days[0]} to {days[1]}"
    if "categories" in column:
        return _cut(", ".join(column["categories"]) or f"{column['distinct']:,} different ones")
    return ""


def _cut(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= WIDEST else plain[: WIDEST - 3] + "..."

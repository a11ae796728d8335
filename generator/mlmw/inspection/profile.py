"""Measuring the columns of a loaded file: what their values look like, and how they are spread.

Patterns are looked for in at most `PART` rows, evenly taken; what a project relies on (missing
values, the smallest and the largest, whether all values are of one kind) is counted in all rows.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mlmw.inspection.engine import Table

PART = 100_000  # rows
MOST_CATEGORIES = 100  # that are listed
KIND_SHARE = 0.99  # of the values that must be of a kind; the others are taken for missing
LARGEST = 1e30  # number that a project takes
ODD_VALUES = 3  # different ones at most, that are taken for missing

# How files write that a value is missing; the second ones only where all others are of a kind.
MISSING = ("NA", "N/A", "n/a", "#N/A", "NULL", "null", "NaN", "nan", "?", "<NA>")
TRUTHS = ("true", "false", "yes", "no", "t", "f", "y", "n", "on", "off", "1", "0")

WHOLE = r"^(-?\d+)\.0+$"  # 1.0 is the category 1, however a file writes it
NUMBER = r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?"
PATTERNS = {
    "numeric": NUMBER,
    "boolean": f"(?i)({'|'.join(TRUTHS)})",
    "date": r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])([ T].*)?",
    "other_date": r"(\d{1,2}[./-]\d{1,2}[./-](\d{4}|\d\d)|\d{4}[./]\d{1,2}[./]\d{1,2})([ T].*)?",
    "code": r"0\d+",  # what a number would lose
    "decimal_comma": r"[-+]?(\d+|\d{1,3}(\.\d{3})+)(,\d+)?",
    "thousands": r"[-+]?\d{1,3}(,\d{3})+(\.\d+)?",
    "email": r"[^@\s]+@[^@\s]+\.[A-Za-z]{2,}",
    "phone": r"(\+|00|\(0|0)\(?\d[\d ()/.-]{6,18}\d",
    "iban": r"[A-Z]{2}\d{2}[A-Z0-9 ]{11,36}",
    "address": r"(\d{1,3}\.){3}\d{1,3}",  # of a computer
    "uuid": r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
}


@dataclass(frozen=True)
class Profile:
    """What was measured of one column.

    Shares are between 0 and 1: `missing` of all rows, those of `looks` (the names of PATTERNS)
    of the values that are there. `distinct` is an estimate where it is large. `quartiles` are
    five numbers, from the smallest to the largest; `categories` the commonest values and their
    shares. `print` is equal for columns of equal content.
    """

    name: str
    number: int
    value: str  # in SQL: the value, or NULL where it is missing
    kind: str  # numeric, categorical, boolean or date
    decimal_comma: bool  # 1.234,56
    missing: float
    missing_as: tuple[str, ...]  # words of MISSING
    unreadable: bool  # a few values are not of the kind, and taken for missing
    times: bool  # a date with a time of day
    present: int
    distinct: int
    words: float  # of a value, on average
    looks: dict[str, float] = field(default_factory=dict)
    whole: bool = False  # only whole numbers
    quartiles: tuple[float, ...] = ()
    days: tuple[str, ...] = ()  # the first and the last
    categories: tuple[tuple[str, float], ...] = ()
    print: str = ""


def measure(table: Table) -> list[Profile]:
    """Measure all columns."""
    step = math.ceil(table.rows / PART)
    table.ask(f"CREATE TABLE part AS SELECT * FROM data WHERE rowid % {step} = 0")
    return [_profile(table, number, name) for number, name in enumerate(table.names)]


def as_text(table: Table, profile: Profile) -> Profile:
    """Measure a column again as one of categories, whatever its values look like."""
    return _profile(table, profile.number, profile.name, kind="categorical")


def _profile(table: Table, number: int, name: str, kind: str = "") -> Profile:
    looks, words = _looks(table, f"c{number}")
    forced = bool(kind)
    kind, cell = kind or _kind(looks), f"c{number}"
    commas = kind == "categorical" and looks.get("decimal_comma", 0.0) >= KIND_SHARE
    if commas and table.delimiter != "," and not forced:  # 1.234,56
        kind, cell = "numeric", f"replace(replace({cell}, '.', ''), ',', '.')"
    odd = _odd(table, cell, kind)
    if odd is None:
        kind, cell = "categorical", f"c{number}"
        odd = _odd(table, cell, kind) or ()
    value = f"CASE WHEN {cell} NOT IN {_texts(odd)} THEN {cell} END" if odd else cell
    present, distinct, hashed = table.ask(
        f"SELECT count(v), approx_count_distinct(v), bit_xor(hash(concat(rowid, chr(0), v))) "
        f"FROM (SELECT rowid, {value} AS v FROM data)"
    )[0]
    spread: dict[str, Any] = {}
    times = False
    if kind == "numeric":
        spread = _numbers(table, value)
    elif kind == "date" and present:
        ends = f"min({value})[:10], max({value})[:10], max(length({value})) > 10"
        first, last, times = table.ask(f"SELECT {ends} FROM data")[0]
        spread = {"days": (first, last)}
    if distinct <= MOST_CATEGORIES * 1.1:  # the estimate may be a little too large
        counts = table.ask(
            f"SELECT regexp_replace({value}, '{WHOLE}', '\\1') AS v, count(*) FROM data "
            f"WHERE v IS NOT NULL GROUP BY v ORDER BY count(*) DESC, v"
        )
        distinct = len(counts)
        spread["categories"] = tuple((text, count / present) for text, count in counts)
    return Profile(
        name=name,
        number=number,
        value=value,
        kind=kind,
        decimal_comma=cell != f"c{number}",
        missing=1 - present / table.rows,
        missing_as=tuple(text for text in odd if text in MISSING),
        unreadable=any(text not in MISSING for text in odd),
        times=times,
        present=present,
        distinct=distinct,
        words=words,
        looks=looks,
        print=f"{hashed}",
        **spread,
    )


def _looks(table: Table, column: str) -> tuple[dict[str, float], float]:
    """The share of a part of the values that match each pattern, and how many words they have."""
    shares = ", ".join(
        f"avg(CAST(regexp_full_match({column}, '{pattern}') AS INTEGER))"
        for pattern in PATTERNS.values()
    )
    spaces = f"length({column}) - length(replace({column}, ' ', ''))"
    *found, words = table.ask(
        f"SELECT {shares}, 1 + avg({spaces}) FROM part "
        f"WHERE {column} IS NOT NULL AND {column} NOT IN {_texts(MISSING)}"
    )[0]
    known = zip(PATTERNS, found, strict=True)
    return {name: share for name, share in known if share}, words or 0.0


def _kind(looks: Mapping[str, float]) -> str:
    """The kind of a column by the form of most of its values."""
    if looks.get("code", 0.0) > 1 - KIND_SHARE:
        return "categorical"  # as a number it would lose its zeros
    for kind in ("boolean", "numeric", "date"):
        if looks.get(kind, 0.0) >= KIND_SHARE:
            return kind
    return "categorical"


def _odd(table: Table, column: str, kind: str) -> tuple[str, ...] | None:
    """The values that mean a missing one; None if too many are not of the kind.

    In a column of text only those of MISSING mean that.
    """
    fits = {
        "numeric": f"abs(TRY_CAST({column} AS DOUBLE)) < {LARGEST} "
        f"AND regexp_full_match({column}, '{PATTERNS['numeric']}')",
        "boolean": f"lower({column}) IN {_texts(TRUTHS)}",
        "date": f"TRY_CAST({column} AS TIMESTAMP) IS NOT NULL",
        "categorical": f"{column} NOT IN {_texts(MISSING)}",
    }[kind]
    found = table.ask(
        f"SELECT {column}, count(*) FROM data WHERE {column} IS NOT NULL "
        f"AND NOT coalesce({fits}, false) GROUP BY 1 ORDER BY 1 LIMIT {ODD_VALUES + len(MISSING)}"
    )
    unknown = [(text, count) for text, count in found if text not in MISSING]
    few = sum(count for _, count in unknown) <= (1 - KIND_SHARE) * table.rows
    if len(unknown) > ODD_VALUES or not few:
        return None
    return tuple(text for text, _ in found)


def _numbers(table: Table, value: str) -> dict[str, Any]:
    """How numbers are spread: the ends in all rows, the quarters between in a part of them."""
    number = f"CAST({value} AS DOUBLE)"
    low, high, whole = table.ask(
        f"SELECT min(v), max(v), bool_and(v = floor(v)) FROM (SELECT {number} AS v FROM data)"
    )[0]
    (inner,) = table.ask(f"SELECT quantile_cont({number}, [0.25, 0.5, 0.75]) FROM part")[0]
    inner = inner or [low] * 3  # a part may have none
    return {"quartiles": (low, *inner, high), "whole": bool(whole)}


def _texts(values: Iterable[str]) -> str:
    """A list for SQL."""
    return "(" + ", ".join("'" + value.replace("'", "''") + "'" for value in values) + ")"

"""Rows that are made up, but look like the data: for tests and examples where the data are not."""

import csv
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from .files import Form
from .schema import SCHEMA, Column
from .tabular import Config

TELLING = 5  # columns from which the target follows
FEWEST = 50  # rows of each class


def records(count: int = 1000, seed: int = 0) -> list[dict[str, Any]]:
    """Return rows in which each column is spread as in the data, gaps included.

    A cell is drawn as a place between 0 and 1 in the distribution of its column. The target's is
    the rank of the mean place in a few other columns, so that there is something to learn.
    """
    generator = np.random.default_rng(seed)
    [target], features = SCHEMA.of("target"), SCHEMA.of("feature")
    places = generator.random((count, len(features)))
    telling = sorted(range(len(features)), key=lambda k: features[k].missing)[:TELLING]
    ranks = (places[:, telling].mean(axis=1).argsort().argsort() + 0.5) / count
    table = {column.name: values(column, places[:, k]) for k, column in enumerate(features)}
    for column in features:
        for row in np.flatnonzero(generator.random(count) < column.missing):
            table[column.name][row] = None
    for column in SCHEMA.of("group"):
        table[column.name] = [f"{row // 3}" for row in range(count)]
    table[target.name] = values(target, ranks, FEWEST / count)
    return [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]


def values(column: Column, places: Any, fewest: float = 0.0) -> list[Any]:
    """Return the values at these places, shape (n,); no class has a share below `fewest`."""
    if column.quartiles and not column.categories:
        numbers = np.interp(places, np.linspace(0, 1, 5), column.quartiles)
        return list((np.rint(numbers).astype(int) if column.whole else numbers).tolist())
    if column.days:
        first, last = (date.fromisoformat(day).toordinal() for day in column.days)
        days = (first + places * (last - first)).astype(int)
        return [date.fromordinal(day).isoformat() for day in days.tolist()]
    names = list(column.categories) or [f"value {k}" for k in range(min(column.distinct, 100))]
    shares = np.maximum(list(column.categories.values()) or 1 / len(names), fewest)
    ends = np.broadcast_to(shares, len(names)).cumsum()
    return [names[k] for k in ends.searchsorted(places * ends[-1], side="right")]


def write(folder: Path, config: Config, count: int = 1000) -> Config:
    """Write made-up rows as a file, and return the configuration with this file as its data."""
    [target] = SCHEMA.of("target")
    path, rows = folder / "made_up.csv", records(max(count, 2 * FEWEST * len(target.categories)))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return config.model_copy(update={"path": path, "form": Form(), "skip_unlabelled": False})

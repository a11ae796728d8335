"""A table with every kind of column, small enough to train on in a moment."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_limits

from my_project.training.tabular import Config


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Keep to one thread: on small data, many would only wait for each other."""
    with threadpool_limits(1):
        yield


@pytest.fixture
def customers(tmp_path: Path) -> Path:
    """Write 300 made-up customers, of whom those with a high income and no newsletter leave."""
    generator = np.random.default_rng(0)
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(300), unit="D")
    table = pd.DataFrame(
        {
            "yearly income": generator.normal(50, 10, 300).round(2),
            "country": generator.choice(["NO", "SE", "DK"], 300),
            "newsletter": generator.choice(["yes", "no"], 300),
            "last_order": generator.permutation(days.strftime("%Y-%m-%d")),
            "household": generator.integers(0, 60, 300),
            "joined": generator.permutation(days.strftime("%Y-%m-%d")),
            "notes": "not used",
            "today": "2026-01-31",
        }
    )
    noise = generator.normal(0, 5, 300)
    score = table["yearly income"] - 50 - 10 * (table["newsletter"] == "yes") + noise
    table["left"] = np.where(score > 0, "left", "stayed")
    table["spent"] = (100 + score).round(2)
    for column in ("yearly income", "country", "newsletter", "last_order"):
        table.loc[generator.choice(300, 20, replace=False), column] = np.nan
    path = tmp_path / "customers.csv"
    table.to_csv(path, index=False)
    return path


@pytest.fixture
def config(customers: Path) -> Config:
    """Say what the columns of the customers are."""
    return Config(
        path=customers,
        target="left",
        positive="left",
        columns={
            "yearly income": "numeric",
            "country": "categorical",
            "newsletter": "boolean",
            "last_order": "date",
        },
        folds=3,
    )

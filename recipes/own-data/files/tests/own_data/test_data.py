"""The data are as the schema says; a column that has changed is found and named."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from my_project.data import made_up, quality
from my_project.data.schema import SCHEMA
from my_project.data.tabular import Config
from my_project.utils.errors import UserError

ROOT = Path(__file__).parents[2]
COUNT = 1000
Records = list[dict[str, Any]]
# The first column of each kind.
COLUMNS = list({column.kind: column for column in SCHEMA.of("feature")[::-1]}.values())


@pytest.fixture
def records() -> Records:
    return made_up.records(COUNT)


def test_the_data_are_as_they_were(own: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    if not (own.path and own.path.exists()):
        pytest.skip(f"{own.path} is not here; data/README.md says where it comes from")
    assert quality.check(own)


def test_only_known_columns_are_used(own: Config) -> None:
    kinds = {column.name: column.kind for column in SCHEMA.columns}
    assert own.columns.items() <= kinds.items()
    assert (own.target, own.task) == (SCHEMA.target, SCHEMA.task)


def test_nothing_is_kept_of_columns_that_are_not_used() -> None:
    for column in SCHEMA.of("unused"):
        assert column.model_fields_set <= {"name", "kind", "role", "why", "personal"}


def test_made_up_rows_are_like_the_data(config: Config, records: Records) -> None:
    assert list(quality.changes(records)) == []
    assert "columns as expected; another file" in quality.check(config)


def test_a_seed_makes_the_same_rows_again(records: Records) -> None:
    assert made_up.records(COUNT) == records
    assert made_up.records(COUNT, seed=1) != records


NAME = SCHEMA.of("feature")[0].name
CHANGES: list[tuple[Callable[[dict[str, Any]], Any], str]] = [
    (lambda row: row.pop(NAME), f"column {NAME!r} is missing"),
    (lambda row: row.update(new=row.pop(NAME)), f"column {NAME!r} is missing (new: new)"),
    (lambda row: row.update({NAME: ["?"]}), "1,000 values that are not"),
]


@pytest.mark.parametrize(("change", "message"), CHANGES)
def test_a_changed_column_is_named(
    records: Records, change: Callable[[dict[str, Any]], Any], message: str
) -> None:
    for row in records:
        change(row)
    [found] = quality.changes(records)
    assert NAME in found
    assert message in found


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: column.name)
def test_other_values_than_before_are_told(records: Records, column: Any) -> None:
    """Of one column after the other: values that were never there, and then none at all."""
    for row in records:
        row[column.name] = {"numeric": 9e29, "boolean": True}.get(column.kind, "2999-12-31")
    known_by = column.quartiles or (column.categories and column.kind == "categorical")
    assert len(list(quality.changes(records))) == bool(known_by)
    if column.missing + quality.MORE_MISSING < 1:
        for row in records:
            row[column.name] = None
        assert "is missing in 100% of the rows" in next(quality.changes(records))


def test_a_changed_file_is_refused_in_one_line(own: Config, tmp_path: Path) -> None:
    config = made_up.write(tmp_path, own)
    assert config.path
    with config.path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    header[header.index(NAME)] = "other"
    with config.path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    with pytest.raises(UserError, match="mlmw data refresh") as error:
        quality.check(config)
    assert str(error.value).count("\n") == 0

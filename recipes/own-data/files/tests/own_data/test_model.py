"""A model of these columns: trained on made-up rows, it predicts rows of this project's fields."""

import csv
import json
import keyword
import shutil
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from threadpoolctl import threadpool_limits
from typer.testing import CliRunner

from my_project import cli, pipeline, scoring
from my_project.data import made_up
from my_project.data.rows import make_row_type
from my_project.data.schema import SCHEMA
from my_project.data.tabular import Config
from my_project.runs import Run
from my_project.training import tabular
from my_project.utils import records

ROOT = Path(__file__).parents[2]
# A header may be in a script for which this system has no font.
pytestmark = pytest.mark.filterwarnings("ignore:Glyph .* missing from font:UserWarning")


@pytest.fixture(scope="module")
def run(config: Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """A run on made-up rows, in a folder of its own."""
    with pytest.MonkeyPatch.context() as patch, threadpool_limits(1):
        patch.chdir(tmp_path_factory.mktemp("own"))
        done = pipeline.train_run("tabular", config)
        yield Run(done.folder.absolute())


def test_it_beats_the_baseline(run: Run) -> None:
    metric = run.metadata["primary_metric"]
    assert run.metrics["test"][metric] > run.metrics["baseline"][metric] + 0.05


def test_examples_have_the_used_columns_and_no_other(run: Run, config: Config) -> None:
    [first, *_] = records.read_records(run.folder / "examples.jsonl")
    assert list(first) == list(config.columns)
    unused = {column.name for column in SCHEMA.of("unused", "target", "group")}
    assert not unused & first.keys()


def test_examples_are_made_up(run: Run, config: Config) -> None:
    """They are the same whatever the data; nothing is made up for a column that is unknown."""
    examples = records.read_records(run.folder / "examples.jsonl")
    known = records.validate(made_up.records(5), make_row_type(config.columns, {}), "made-up rows")
    assert examples == [json.loads(line) for line in records.format_examples(known).splitlines()]
    more = config.model_copy(update={"columns": config.columns | {"not in the file": "date"}})
    [row] = tabular.examples(replace(tabular.prepare(config), config=more), 1)
    assert vars(row) == vars(known[0]) | {"not_in_the_file": None}


def test_each_column_is_a_field_with_a_python_name(config: Config) -> None:
    names = [field.name for field in fields(make_row_type(config.columns, {}))]
    assert len(set(names)) == len(names) == len(config.columns)
    assert all(name.isidentifier() and not keyword.iskeyword(name) for name in names)


def test_made_up_rows_are_predicted(run: Run, tmp_path: Path) -> None:
    rows, answers = tmp_path / "rows.jsonl", tmp_path / "answers.jsonl"
    words = ["sample", "--count", "7", "--output", str(rows)]
    assert CliRunner().invoke(cli.build(words), words, catch_exceptions=False).exit_code == 0
    scoring.predict_file(run, rows, answers)
    assert len(answers.read_text(encoding="utf-8").splitlines()) == 7


def test_a_file_in_the_form_of_the_data_is_predicted(run: Run, tmp_path: Path) -> None:
    """With its delimiter, encoding and words for missing values, as it would be trained on."""
    copy, form = Run(shutil.copytree(run.folder, tmp_path / "run")), 'delimiter = "|"\n'
    form += 'encoding = "utf-16"\nmissing = ["n/a"]\n'
    config = (run.folder / "config.toml").read_text(encoding="utf-8").partition("[form]")[0]
    (copy.folder / "config.toml").write_text(f"{config}[form]\n{form}", encoding="utf-8")
    examples = records.read_records(run.folder / "examples.jsonl")
    with (tmp_path / "next.csv").open("w", encoding="utf-16", newline="") as file:
        writer = csv.writer(file, delimiter="|")
        writer.writerow(examples[0])
        for row in examples:
            writer.writerow(["n/a" if cell is None else cell for cell in row.values()])
    scoring.predict_file(copy, tmp_path / "next.csv", tmp_path / "next.jsonl")
    scoring.predict_file(run, run.folder / "examples.jsonl", tmp_path / "same.jsonl")
    assert (tmp_path / "next.jsonl").read_bytes() == (tmp_path / "same.jsonl").read_bytes()


def test_the_row_in_the_readme_is_answered(run: Run) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    rows: list[Any] = [json.loads(line) for line in readme.splitlines() if line[:2] == '{"']
    model = pipeline.load_model(run)
    for row in rows[:1]:  # wide tables show none; the answer to an example may follow it
        assert len(model.predict(records.validate([row], model.example_type, "README.md"))) == 1

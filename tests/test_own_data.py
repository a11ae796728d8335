"""`mlmw new --data`: a project for a file, whose answers hold what is known of it and no row."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import Mlmw, snapshot
from datasets import DATASETS
from releases import Releases, commit
from terminal import DOWN, ENTER, MLMW, Terminal
from test_new import answers, without_source
from test_rendering import lines_of_code

FILE = "subscribers.csv"


@pytest.fixture
def subscribers(here: Path) -> Path:
    """A file of data in the current folder."""
    path = here / FILE
    path.write_bytes(DATASETS[FILE][1]())
    return path


@pytest.fixture(scope="module")
def template(prepared: Releases, tmp_path_factory: pytest.TempPathFactory) -> Releases:
    copy = prepared.copy(tmp_path_factory.mktemp("template"))
    copy.publish("v0.1.0")
    return copy


def new(mlmw: Mlmw, *options: str) -> Any:
    return mlmw("new", "project", "--data", FILE, "--defaults", *options)


@pytest.fixture
def project(subscribers: Path, mlmw: Mlmw, template: Releases) -> Path:
    """A project made for the file."""
    result = new(mlmw, "--target", "churned", "--template", str(template.place))
    assert (result.code, result.err) == (0, "")
    return subscribers.parent / "project"


def git(folder: Path, *command: str) -> str:
    return subprocess.check_output(["git", *command], cwd=folder, text=True)


def test_the_file_is_there_and_in_no_commit(project: Path, subscribers: Path) -> None:
    assert (project / "data/raw" / FILE).read_bytes() == subscribers.read_bytes()
    assert git(project, "status", "--porcelain", "--ignored") == "!! data/raw/\n"
    assert "data/README.md" in git(project, "ls-files").splitlines()
    schema = answers(project)["data_schema"]
    assert isinstance(schema, dict)
    assert schema["sha256"] in (project / "data/README.md").read_text(encoding="utf-8")
    assert answers(project)["recipes"] == ["tabular"]


def test_nothing_private_is_rendered(project: Path) -> None:
    """No value of a personal column, no identifier, no rare value, no odd cell, no row."""
    rows = [line.split(",") for line in (project.parent / FILE).read_text().splitlines()[1:]]
    private = {row[0] for row in rows} | {row[1] for row in rows} | {row[2] for row in rows}
    private |= {"Reykjahlíð", "umpteen", *(",".join(row[3:]) for row in rows)}
    ours = [path for path in git(project, "ls-files").splitlines() if not path.endswith(".py")]
    text = "".join((project / path).read_text(encoding="utf-8") for path in ours)
    words = set(re.findall(r"[\w@.-]+", text))
    assert private & words == set()
    assert not any(",".join(row[3:]) in text for row in rows)


def test_plain_copier_makes_and_updates_the_same(
    project: Path, template: Releases, tmp_path: Path
) -> None:
    """With the answers alone, on a machine that has not got the file."""
    data, other = tmp_path / "data.yml", tmp_path / "project"
    given = {key: value for key, value in answers(project).items() if not key.startswith("_")}
    data.write_text(yaml.safe_dump(given, allow_unicode=True), encoding="utf-8")
    copier, options = [sys.executable, "-m", "copier"], ["--quiet", "--defaults"]
    command = [*copier, "copy", *options, f"--data-file={data}", str(template.place), str(other)]
    subprocess.run(command, check=True)
    mine = {path: one for path, one in without_source(project).items() if "data/raw" not in path}
    assert without_source(other) == mine
    git(other, "init", "--quiet")
    commit(other)
    subprocess.run([*copier, "update", *options, "--vcs-ref=:current:"], cwd=other, check=True)
    assert without_source(other) == mine


def test_layers_come_and_go_and_the_schema_stays(project: Path, mlmw: Mlmw) -> None:
    before = snapshot(project / "src")
    schema = answers(project)["data_schema"]
    os.chdir(project)
    for command in (("add", "serving"), ("remove", "serving"), ("update",)):
        assert mlmw(*command).code == 0
        commit(project)
        assert answers(project)["data_schema"] == schema
    assert snapshot(project / "src") == before
    assert (project / "data/raw" / FILE).is_file()


def test_what_learns_from_the_file_can_go_and_come_back(project: Path, mlmw: Mlmw) -> None:
    os.chdir(project)
    before = git(project, "ls-files")
    assert mlmw("remove", "tabular").code == 0
    commit(project)
    left = git(project, "ls-files").splitlines()
    assert not [path for path in left if "own_data" in path or path.startswith("data/")]
    assert (project / "data/raw" / FILE).is_file()
    assert git(project, "status", "--porcelain") == ""
    assert mlmw("add", "tabular").code == 0
    commit(project)
    assert git(project, "ls-files") == before


def test_link_and_reference(subscribers: Path, mlmw: Mlmw) -> None:
    assert new(mlmw, "--data-by", "link").code == 0
    link = subscribers.parent / "project/data/raw" / FILE
    assert link.is_symlink()
    assert link.samefile(subscribers)
    done = mlmw("new", "other", "--data", FILE, "--defaults", "--data-by", "reference")
    assert done.code == 0
    assert not (subscribers.parent / "other/data/raw").exists()
    configuration = (subscribers.parent / "other/experiments/tabular.toml").read_text()
    assert f"path = {json.dumps(subscribers.as_posix())}\n" in configuration


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--recipe", "cnn"], "--data: of the recipes only tabular learns from a table; add it: "),
        (["--target", "churn"], "target 'churn': the file has no such column; did you mean"),
        (["--task", "guess"], "--task 'guess': unknown value; "),
        (["--data-by", "magic"], "--data-by 'magic': unknown value; "),
        (["--data", "missing.csv"], "file 'missing.csv': it does not exist; "),
    ],
)
def test_what_cannot_be_is_refused(
    subscribers: Path, mlmw: Mlmw, options: list[str], message: str
) -> None:
    before = snapshot(subscribers.parent)
    result = new(mlmw, *options)
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert result.err.startswith(f"error: {message}")
    assert snapshot(subscribers.parent) == before


def test_a_target_without_a_file_is_refused(here: Path, mlmw: Mlmw) -> None:
    result = mlmw("new", "project", "--target", "churned", "--defaults")
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert result.err.startswith("error: --target: it says what to predict from a file; give the ")


def test_it_can_be_read_in_an_afternoon(project: Path) -> None:
    sources = (project / "src").rglob("*.py")
    assert sum(lines_of_code(path.read_text(encoding="utf-8")) for path in sources) < 1270


def test_a_changed_file_is_taken_up(project: Path, mlmw: Mlmw) -> None:
    """A new column, one that is gone, more gaps: shown first, then merged and staged."""
    os.chdir(project)
    with (project / "README.md").open("a", encoding="utf-8") as readme:
        readme.write("\nMine.\n")
    commit(project)
    path = project / "data/raw" / FILE
    rows = [line.split(",") for line in path.read_text(encoding="utf-8").splitlines()]
    place = rows[0].index("plan")
    for number, row in enumerate(rows):
        row[place] = ["region", "north", "south", ""][number and 1 + number % 3]
    path.write_text("".join(",".join(row) + "\n" for row in rows), encoding="utf-8")
    before = snapshot(project)
    shown = mlmw("data", "refresh", "--preview")
    assert (shown.code, shown.err) == (0, "")
    assert "- plan: categorical, feature\n" in shown.out
    assert "+ region: categorical, feature\n" in shown.out
    assert snapshot(project) == before
    done = mlmw("data", "refresh")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(shown.out)
    assert "  M experiments/tabular.toml\n" in done.out
    configuration = (project / "experiments/tabular.toml").read_text(encoding="utf-8")
    assert '"region" = "categorical"\n' in configuration
    assert '"plan"' not in configuration
    assert (project / "README.md").read_text(encoding="utf-8").endswith("\nMine.\n")
    assert "data/README.md" in git(project, "diff", "--cached", "--name-only")
    commit(project)
    again = mlmw("data", "refresh")
    assert again.out.startswith("The file is the one that the project knows.\n")
    assert again.code == 0


def test_another_file_takes_the_place(project: Path, subscribers: Path, mlmw: Mlmw) -> None:
    os.chdir(project)
    other = subscribers.with_name("later.csv")
    text = subscribers.read_text(encoding="utf-8")
    other.write_text(text + "".join(text.splitlines(keepends=True)[1:100]), encoding="utf-8")
    done = mlmw("data", "refresh", str(other))
    assert (done.code, done.err) == (0, "")
    assert "  rows: 1,500 -> 1,599\n" in done.out
    assert 'path = "data/raw/later.csv"\n' in Path("experiments/tabular.toml").read_text()
    assert Path("data/raw/later.csv").read_bytes() == other.read_bytes()


def test_only_a_project_for_a_file_is_refreshed(here: Path, mlmw: Mlmw) -> None:
    assert mlmw("new", "project", "--defaults").code == 0
    result = mlmw("data", "refresh", "--project", "project")
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert "it was not made for a file; make one that is: mlmw new PATH --data FILE" in result.err


def test_a_file_without_its_target_is_refused(project: Path, mlmw: Mlmw) -> None:
    path = project / "data/raw" / FILE
    path.write_text(path.read_text(encoding="utf-8").replace("churned", "gone"), encoding="utf-8")
    result = mlmw("data", "refresh", "--project", str(project))
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert result.err.startswith("error: target 'churned': the file has no such column; ")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such pseudo-terminals")
def test_each_choice_can_be_changed_at_a_terminal(subscribers: Path) -> None:
    given = ["--name=N", "--package=pkg", "--description=D", "--author=A", "--email=a@b.org"]
    command = [*MLMW, "new", "project", "--data", FILE, *given, "--licence=MIT", "--python=3.11"]
    with Terminal(command, 120, 60) as terminal:
        terminal.answer("yes, go on", DOWN, DOWN, DOWN, ENTER)  # a column
        terminal.answer("Which column?", *[DOWN] * 3, ENTER)  # age
        terminal.answer("What is age for?", DOWN, DOWN, DOWN, ENTER)  # not used
        terminal.answer("as you chose", DOWN, DOWN, ENTER)  # the task
        terminal.answer("What is predicted?", DOWN, ENTER)  # a number
        terminal.wait_for("not all its values are numbers")
        terminal.answer("copy)", *[DOWN] * 4, ENTER)
        terminal.answer("How?", DOWN, ENTER)
        terminal.answer("link)", ENTER)
        assert terminal.finish() == 0
    project = subscribers.parent / "project"
    assert (project / "data/raw" / FILE).is_symlink()
    assert '"age"' not in (project / "experiments/tabular.toml").read_text(encoding="utf-8")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such pseudo-terminals")
def test_yes_takes_what_was_found(subscribers: Path) -> None:
    command = [*MLMW, "new", "project", "--data", FILE, "--yes"]
    with Terminal(command, 120, 60) as terminal:
        for question in ("project called", "Python package", "one sentence", "author?", "e-mail"):
            terminal.answer(question, ENTER)
        terminal.answer("licence", ENTER)
        terminal.answer("Oldest Python", ENTER)
        seen = terminal.answer("Is everything right?", ENTER)
        assert "churned from subscribers.csv" in seen
        assert terminal.finish() == 0
    stored = answers(subscribers.parent / "project")
    assert stored["description"] == "Predict churned from the columns of subscribers.csv."

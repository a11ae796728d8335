"""mlmw at a real terminal: what it asks, how one goes back, how it looks, how far it has come."""

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml
from terminal import CLEAR, CONTROL_C, DOWN, ENTER, MLMW, SPACE, UP, Terminal

from mlmw import wizard
from mlmw.catalogue import load_catalogue

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no such pseudo-terminals")

ASKED = ["project called", "Python package", "one sentence", "author?", "e-mail", "licence"]
LAST = "Oldest Python"
COLOUR = re.compile(rb"\x1b\[(?:\d+;)*(?:[349][0-7]|10[0-7]|[34]8;[\d;]+)(?:;\d+)*m")


def new(
    *arguments: str, columns: int = 80, environment: Mapping[str, str] | None = None
) -> Terminal:
    return Terminal([*MLMW, "new", *arguments], columns, 60, environment)


def accept(terminal: Terminal, *questions: str) -> None:
    for question in questions:
        terminal.answer(question, ENTER)


def stored(project: Path) -> dict[str, object]:
    loaded = yaml.safe_load((project / ".copier-answers.yml").read_text(encoding="utf-8"))
    return {key: value for key, value in loaded.items() if not key.startswith("_")}


def test_ten_questions_at_most_and_each_has_a_default(here: Path) -> None:
    Path(os.environ["GIT_CONFIG_GLOBAL"]).write_text(
        "[user]\nname = Ada Lovelace\nemail = ada@example.org\n"
    )
    with new() as terminal:
        accept(terminal, "Which folder", "Which recipes", *ASKED, LAST, "Is everything right?")
        assert terminal.finish() == 0
        shown = terminal.history
    assert len(re.findall(r"^\? ", shown, re.MULTILINE)) <= 10
    assert stored(here / "my-project") == {
        "project_name": "my-project",
        "package": "my_project",
        "description": "A machine-learning project that trains, tests and explains its models.",
        "author": "Ada Lovelace",
        "email": "ada@example.org",
        "licence": "MIT",
        "python_version": "3.11",
        "recipes": [],
    }
    assert (here / "my-project" / ".git").is_dir()
    next_steps = shown.partition("\nNext:\n")[2]
    for command in ("cd my-project", "make setup", "make train report", "make test"):
        assert f"  {command}" in next_steps


def test_going_back(here: Path) -> None:
    """A new name offers a new package; other answers and the recipes change one by one."""
    with new("first") as terminal:
        accept(terminal, "Which recipes", *ASKED, LAST)
        seen = terminal.answer("Is everything right?", DOWN, DOWN, ENTER)  # the name
        assert "folder          first" in seen
        assert "recipes         none" in seen
        assert "because no other workload was chosen" in seen
        terminal.answer("project called", CLEAR, "Köln Rain", ENTER)
        accept(terminal, "koln_rain")
        terminal.answer("project name    Köln Rain", *[DOWN] * 7, ENTER)  # the licence
        terminal.answer("licence is it?", DOWN, ENTER)
        terminal.answer("licence         Apache-2.0", DOWN, ENTER)  # the recipes
        terminal.answer("Which recipes", DOWN, DOWN, SPACE, ENTER)
        seen = terminal.answer("recipes         serving", UP, DOWN, ENTER)
        assert "? Which recipes does it start with? serving\n" in seen
        assert "needed by serving" in seen
        assert terminal.finish() == 0
    answers = stored(here / "first")
    assert (answers["project_name"], answers["package"]) == ("Köln Rain", "koln_rain")
    assert (answers["licence"], answers["recipes"]) == ("Apache-2.0", ["serving"])
    assert (here / "first" / "src" / "koln_rain" / "serving").is_dir()
    assert not (here / "first" / "src" / "first").exists()
    assert [path.name for path in here.iterdir()] == ["first"]


def test_a_bad_folder_is_told_while_it_is_typed(here: Path) -> None:
    (here / "full").mkdir()
    (here / "full" / "notes.txt").write_text("mine")
    with new() as terminal:
        terminal.answer("Which folder", CLEAR, "full", ENTER)
        terminal.answer("the folder is not empty; choose another name", CLEAR, "class", ENTER)
        terminal.answer("'class' is taken; choose another name", CLEAR, "fine", ENTER)
        terminal.answer("Which recipes", CONTROL_C)
        assert terminal.finish() == 130
        assert "nothing half-made is left" in terminal.history
    assert sorted(path.name for path in here.rglob("*")) == ["full", "notes.txt"]


@pytest.mark.parametrize(
    "folder",
    ["", "a\nb", "full", "full/notes.txt", "full/notes.txt/x", ".", 'a<>:"|?*\\b', "dot.",
     "con.txt", "-x", "x" * 256, "class", "3d", "+++", "x" * 41],
)  # fmt: skip
def test_what_a_prompt_refuses_fits_below_it(folder: str, here: Path) -> None:
    (here / "full").mkdir()
    (here / "full" / "notes.txt").write_text("mine")
    told = wizard.refused(folder)
    assert told
    assert len(told) < 80


def test_a_name_that_rules_out_its_package_is_asked_again(here: Path) -> None:
    with new("my-project", "--recipe=tabular") as terminal:
        terminal.answer("project called", CLEAR, "Torch", ENTER)
        terminal.wait_for("Its package is taken by Python, the system or a dependency; choose")
        terminal.answer("project called", CLEAR, "Torch Songs", ENTER)
        terminal.answer("torch_songs", CLEAR, "class", ENTER)
        seen = terminal.answer("is taken by Python, the system or a dependency", CONTROL_C)
        assert "Validation error" not in seen
        assert terminal.finish() == 130
        assert "Traceback" not in terminal.history
    assert list(here.iterdir()) == []


def test_stopping_at_the_last_question_leaves_nothing(here: Path) -> None:
    with new("my-project", "--recipe=tabular") as terminal:
        accept(terminal, *ASKED, LAST)
        terminal.answer("Is everything right?", CONTROL_C)
        assert terminal.finish() == 130
    assert list(here.iterdir()) == []


def test_what_is_given_is_not_asked(here: Path) -> None:
    options = ["--name=N", "--package=pkg", "--description=D", "--author=A", "--email=a@b.org"]
    more = ["--licence=none", "--python=3.13", "--recipe=tabular"]
    with new("my-project", *options, *more) as terminal:
        assert terminal.finish() == 0
        assert "?" not in terminal.history
    assert stored(here / "my-project")["recipes"] == ["tabular"]


@pytest.mark.parametrize(("columns", "keys"), [(40, "(space, enter)"), (80, "(space: choose")])
def test_nothing_is_cut_off(columns: int, keys: str, here: Path) -> None:
    summaries = [recipe.summary for recipe in load_catalogue() if not recipe.implicit]
    with new("my-project", columns=columns) as terminal:
        for summary in summaries:
            terminal.wait_for(summary)
        terminal.answer(f"Which recipes does it start with? {keys}", SPACE, ENTER)
        accept(terminal, *ASKED, LAST)
        terminal.wait_for(f"chosen: {summaries[0]}")
        terminal.answer("Is everything right?", CONTROL_C)
        assert terminal.finish() == 130


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_no_color(no_color: str, coloured: bool, here: Path) -> None:
    with new("my-project", environment={"NO_COLOR": no_color}) as terminal:
        terminal.answer("Which recipes", SPACE, ENTER)
        terminal.answer("project called", CONTROL_C)
        assert terminal.finish() == 130
        assert bool(COLOUR.search(terminal.raw)) == coloured


def test_several_projects_show_how_far_it_is(here: Path) -> None:
    command = [*MLMW, "status", "one", "two"]
    with Terminal(command, environment={"NO_COLOR": "1"}) as terminal:
        assert terminal.finish() == 2
        assert b"status " in terminal.raw
        assert not COLOUR.search(terminal.raw)
        assert "status " not in terminal.history  # it is gone at the end
    assert subprocess.run(command, capture_output=True).stderr.startswith(b"error: ")

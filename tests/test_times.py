"""The times that `mlmw new` states: sums over recipes of what was measured."""

import json

import pytest
from conftest import Mlmw

from mlmw import times
from mlmw.catalogue import load_catalogue

SETUP, TRAIN, TEST = times.COMMANDS
KNOWN = times.Times(
    "2026-11-21",
    "a machine",
    {
        "none": {SETUP: 10, TRAIN: 4, TEST: 30},
        "tabular": {SETUP: 12, TRAIN: 6, TEST: 40},
        "cnn": {SETUP: 30, TRAIN: 3},
    },
)


def test_each_recipe_adds_what_it_adds_alone() -> None:
    assert times.estimate([], KNOWN) == {SETUP: 10, TRAIN: 4, TEST: 30}
    assert times.estimate(["tabular"], KNOWN) == {SETUP: 12, TRAIN: 6, TEST: 40}
    assert times.estimate(["tabular", "cnn"], KNOWN) == {SETUP: 32, TRAIN: 6}


def test_nothing_is_stated_that_was_not_measured() -> None:
    assert times.estimate(["new-recipe"], KNOWN) == {}


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.3, "about 5 s"), (33, "about 35 s"), (61, "about 1 min"), (100, "about 1.5 min")],
)
def test_words(seconds: float, words: str) -> None:
    assert times.words(seconds) == words


def test_the_file_holds_only_what_there_is() -> None:
    measured = json.loads(times.PATH.read_text(encoding="utf-8"))
    names = {recipe.name for recipe in load_catalogue() if not recipe.implicit}
    assert measured["seconds"].keys() <= names | {times.NONE}
    assert all(one.keys() <= set(times.COMMANDS) for one in measured["seconds"].values())


def test_new_states_them(mlmw: Mlmw, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(times, "load", lambda: KNOWN)
    shown = mlmw("new", "my-project", "--defaults", "--recipe=tabular", "--no-git").out
    assert "  make setup          # about 10 s\n" in shown
    assert "  make test           # about 40 s\nTimes: processor time on a machine" in shown

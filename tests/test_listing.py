"""`mlmw recipes`, `--version` and the help, as they read on the screen."""

import json
from collections.abc import Callable

import pytest
from conftest import Mlmw

import mlmw as package

Screen = Callable[[str, str], None]


def test_overview(mlmw: Mlmw, screen: Screen) -> None:
    result = mlmw("recipes")
    assert (result.code, result.err) == (0, "")
    screen("recipes.txt", result.out)


@pytest.mark.parametrize("recipe", ["tabular", "baseline"])
def test_details(recipe: str, mlmw: Mlmw, screen: Screen) -> None:
    result = mlmw("recipes", recipe)
    assert (result.code, result.err) == (0, "")
    screen(f"recipes-{recipe}.txt", result.out)


def test_json(mlmw: Mlmw) -> None:
    recipes = json.loads(mlmw("recipes", "--json").out)
    tabular = json.loads(mlmw("recipes", "tabular", "--json").out)
    assert tabular in recipes
    assert tabular["name"] == "tabular"
    assert list(tabular) == [
        "name",
        "title",
        "summary",
        "kind",
        "implicit",
        "requires",
        "dependencies",
        "dev_dependencies",
        "commands",
        "files",
        "extras",
        "tools",
    ]


def test_version(mlmw: Mlmw) -> None:
    assert mlmw("--version").out == f"mlmw {package.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "example"),
    [
        (["--help"], "  mlmw new my-project\n"),
        ([], "  mlmw new my-project\n"),
        (["new", "--help"], "  mlmw new my-project --recipe tabular --defaults\n"),
        (["recipes", "--help"], "  mlmw recipes --json\n"),
    ],
)
def test_help_has_examples(arguments: list[str], example: str, mlmw: Mlmw) -> None:
    result = mlmw(*arguments)
    assert (result.code, result.err) == (0, "")
    assert example in result.out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("mlmw new x --recipe tab", "tabular"),
        ("mlmw recipes base", "baseline"),
        ("mlmw new x --licence A", "Apache-2.0"),
        ("mlmw new x --python 3.1", "3.11"),
    ],
)
def test_shell_completion(
    words: str,
    expected: str,
    monkeypatch: pytest.MonkeyPatch,
    mlmw: Mlmw,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("_MLMW_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split()) - 1))
    with pytest.raises(SystemExit) as stopped:
        mlmw()
    assert stopped.value.code == 0
    assert expected in capfd.readouterr().out.split()

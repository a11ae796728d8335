"""Bad input: one line on stderr, exit code 2, and nothing written."""

import os
import sys
from pathlib import Path

import pytest
from conftest import Mlmw, snapshot

from mlmw.catalogue import load_catalogue

RECIPES = ", ".join(recipe.name for recipe in load_catalogue() if not recipe.implicit)
ALL_RECIPES = ", ".join(recipe.name for recipe in load_catalogue())
OTHER = "choose another name"
OTHER_NAME = "choose another name or give --package"
TAKEN = "is taken by Python, the system or a dependency"
LETTERS = "a package name starts with a letter and holds only a-z, 0-9 and _"
ONE_LINE = "it is not one line of text; give plain characters"
EMPTY = "it is empty; give it a value"
LONG = "long" * 11


def taken(name: str) -> str:
    return f"PATH's name {name!r}: the package name {name!r} {TAKEN}; {OTHER_NAME}"


CASES: list[tuple[list[str], str]] = [
    # PATH
    ([], "PATH: it is missing; name the folder to make: mlmw new my-project"),
    ([""], f"PATH '': {EMPTY}"),
    (["  "], f"PATH '  ': {EMPTY}"),
    (["a\nb"], f"PATH 'a\\nb': {ONE_LINE}"),
    (["a\tb"], f"PATH 'a\\tb': {ONE_LINE}"),
    (["a\x00b"], f"PATH 'a\\x00b': {ONE_LINE}"),
    (["caf\udce9"], f"PATH 'caf\\udce9': {ONE_LINE}"),
    (["full"], "PATH 'full': the folder exists and is not empty; "
     "choose another name, or move away what is there"),
    (["full/"], "PATH 'full/': the folder exists and is not empty; "
     "choose another name, or move away what is there"),
    (["file"], f"PATH 'file': there is a file of this name; {OTHER}"),
    (["file/x"], "PATH 'file/x': '{here}/file' is not a folder; choose another place"),
    (["file/x/y/z"], "PATH 'file/x/y/z': '{here}/file' is not a folder; choose another place"),
    (["link"], "PATH 'link': it is a symbolic link; give the folder that it points to"),
    (["lost"], "PATH 'lost': it is a symbolic link; give the folder that it points to"),
    (["lost/x"], "PATH 'lost/x': '{here}/lost' is not a folder; choose another place"),
    (["."], "PATH '.': it is the current folder; go up with 'cd ..' and give the name: "
     "mlmw new here"),
    ([".."], "PATH '..': the folder exists and is not empty; "
     "choose another name, or move away what is there"),
    (["/"], "PATH '/': the folder exists and is not empty; "
     "choose another name, or move away what is there"),
    (["what?"], f"PATH 'what?': the name 'what?' has ? in it, which Windows cannot hold; {OTHER}"),
    (['a"b<c'], "PATH 'a\"b<c': the name 'a\"b<c' has \" < in it, which Windows cannot hold; "
     + OTHER),
    (["a:b/c"], f"PATH 'a:b/c': the name 'a:b' has : in it, which Windows cannot hold; {OTHER}"),
    (["a\\b"], "PATH 'a\\\\b': the name 'a\\\\b' has \\ in it, which Windows cannot hold; "
     + OTHER),
    (["dot."], "PATH 'dot.': the name 'dot.' ends with a dot or a blank, "
     f"which Windows cannot hold; {OTHER}"),
    (["blank /x"], "PATH 'blank /x': the name 'blank ' ends with a dot or a blank, "
     f"which Windows cannot hold; {OTHER}"),
    (["con"], f"PATH 'con': the name 'con' is a device on Windows; {OTHER}"),
    (["LPT1.txt"], f"PATH 'LPT1.txt': the name 'LPT1.txt' is a device on Windows; {OTHER}"),
    (["nul/x"], f"PATH 'nul/x': the name 'nul' is a device on Windows; {OTHER}"),
    (["~x"], "PATH '~x': the name '~x' starts with ~, which a shell takes for something else; "
     + OTHER),
    (["--", "-x"], "PATH '-x': the name '-x' starts with -, which a shell takes for something "
     f"else; {OTHER}"),
    (["x" * 256], f"PATH '{'x' * 256}': the name '{'x' * 20}'... is longer than 255 bytes; "
     + OTHER),
    # PATH's name as the project's name
    (["x" * 61], f"PATH's name '{'x' * 61}': it has 61 characters, 60 are possible; "
     "choose a shorter name"),
    (["torch"], taken("torch")),
    (["sklearn"], taken("sklearn")),
    (["json"], taken("json")),
    (["class"], taken("class")),
    (["tests"], taken("tests")),
    (["build"], taken("build")),
    (["mlmw"], taken("mlmw")),
    (["Scikit.Learn", "--package", "sklearn"], f"--package 'sklearn': the package name 'sklearn' "
     f"{TAKEN}; {OTHER}"),
    (["NumPy"], f"PATH's name 'NumPy': the package name 'numpy' {TAKEN}; {OTHER_NAME}"),
    (["2030-forecast"], f"PATH's name '2030-forecast': {LETTERS}; {OTHER_NAME}"),
    (["+++"], "PATH's name '+++': it has no letter that a package name could be made of; "
     + OTHER_NAME),
    (["プロジェクト"], "PATH's name 'プロジェクト': it has no letter that a package name could be "
     f"made of; {OTHER_NAME}"),
    ([LONG], f"PATH's name '{LONG}': the package name '{LONG}' has 44 characters, 40 are possible; "
     + OTHER_NAME),
    # --name
    (["x", "--name", ""], f"--name '': {EMPTY}"),
    (["x", "--name", " "], f"--name ' ': {EMPTY}"),
    (["x", "--name", "two\nlines"], f"--name 'two\\nlines': {ONE_LINE}"),
    (["x", "--name", "bell\a"], f"--name 'bell\\x07': {ONE_LINE}"),
    (["x", "--name", "a\u2028b"], f"--name 'a\\u2028b': {ONE_LINE}"),
    (["x", "--name", "n" * 61], f"--name '{'n' * 61}': it has 61 characters, 60 are possible; "
     "choose a shorter name"),
    (["x", "--name", "Import"], f"--name 'Import': the package name 'import' {TAKEN}; "
     + OTHER_NAME),
    (["x", "--name", "AUX"], f"--name 'AUX': the package name 'aux' {TAKEN}; {OTHER_NAME}"),
    (["x", "--name", "!?"], "--name '!?': it has no letter that a package name could be made of; "
     + OTHER_NAME),
    (["x", "--name", "3D"], f"--name '3D': {LETTERS}; {OTHER_NAME}"),
    # --package
    (["x", "--package", ""], f"--package '': {EMPTY}"),
    (["x", "--package", "Upper"], f"--package 'Upper': {LETTERS}; {OTHER}"),
    (["x", "--package", "with-dash"], f"--package 'with-dash': {LETTERS}; {OTHER}"),
    (["x", "--package", "a.b"], f"--package 'a.b': {LETTERS}; {OTHER}"),
    (["x", "--package", "../up"], f"--package '../up': {LETTERS}; {OTHER}"),
    (["x", "--package", "_x"], f"--package '_x': {LETTERS}; {OTHER}"),
    (["x", "--package", "köln"], f"--package 'köln': {LETTERS}; {OTHER}"),
    (["x", "--package", "a²"], f"--package 'a²': {LETTERS}; {OTHER}"),
    (["x", "--package", "pandas"], f"--package 'pandas': the package name 'pandas' {TAKEN}; "
     + OTHER),
    (["x", "--package", "a" * 41], f"--package '{'a' * 41}': the package name '{'a' * 41}' has 41 "
     f"characters, 40 are possible; {OTHER}"),
    # --description, --author, --email
    (["x", "--description", ""], f"--description '': {EMPTY}"),
    (["x", "--description", "a\r\nb"], f"--description 'a\\r\\nb': {ONE_LINE}"),
    (["x", "--author", ""], f"--author '': {EMPTY}"),
    (["x", "--author", "A\x1b[31m"], f"--author 'A\\x1b[31m': {ONE_LINE}"),
    (["x", "--email", ""], f"--email '': {EMPTY}"),
    (["x", "--email", "me"], "--email 'me': it is no e-mail address; "
     "write it like name@example.org"),
    (["x", "--email", "a@b"], "--email 'a@b': it is no e-mail address; "
     "write it like name@example.org"),
    (["x", "--email", "A <a@b.org>"], "--email 'A <a@b.org>': it is no e-mail address; "
     "write it like name@example.org"),
    (["x", "--email", "a@b.org\n"], f"--email 'a@b.org\\n': {ONE_LINE}"),
    # --licence, --python
    (["x", "--licence", "GPL"], "--licence 'GPL': unknown value; "
     "choose one of MIT, Apache-2.0, BSD-3-Clause, none"),
    (["x", "--license", "mit"], "--licence 'mit': unknown value; did you mean 'MIT'? "
     "choose one of MIT, Apache-2.0, BSD-3-Clause, none"),
    (["x", "--licence", ""], "--licence '': unknown value; "
     "choose one of MIT, Apache-2.0, BSD-3-Clause, none"),
    (["x", "--python", "3.10"], "--python '3.10': unknown value; choose one of 3.11, 3.12, 3.13"),
    (["x", "--python", "3"], "--python '3': unknown value; choose one of 3.11, 3.12, 3.13"),
    # --recipe
    (["x", "--recipe", "tabluar"], "recipe 'tabluar': no such recipe; did you mean 'tabular'? "
     f"recipes: {RECIPES}"),
    (["x", "--recipe", "Tabular"], "recipe 'Tabular': no such recipe; did you mean 'tabular'? "
     f"recipes: {RECIPES}"),
    (["x", "--recipe", "tabular,quantum"], f"recipe 'quantum': no such recipe; recipes: {RECIPES}"),
    (["x", "--recipe", ""], f"recipe '': no such recipe; recipes: {RECIPES}"),
    (["x", "--recipe", "tabular,"], f"recipe '': no such recipe; recipes: {RECIPES}"),
    (["x", "--recipe", "tabular", "--recipe", "tab\nle"], "recipe 'tab\\nle': no such recipe; "
     f"did you mean 'tabular'? recipes: {RECIPES}"),
    (["x", "--recipe", "none"], "recipe 'none': no such recipe; "
     "without --recipe it is the baseline"),
    (["x", "--recipe", "baseline"], "recipe 'baseline': it joins by itself where it is needed; "
     "leave it out"),
]  # fmt: skip


@pytest.fixture
def furnished(here: Path) -> Path:
    """A folder with things in the way."""
    (here / "full").mkdir()
    (here / "full" / "notes.txt").write_text("mine")
    (here / "file").write_text("mine")
    (here / "empty").mkdir()
    (here / "link").symlink_to("empty")
    (here / "lost").symlink_to("nowhere")
    return here


@pytest.mark.parametrize("dry_run", [False, True], ids=["new", "dry-run"])
@pytest.mark.parametrize(("arguments", "message"), CASES, ids=[ascii(case[0]) for case in CASES])
def test_refused(
    arguments: list[str], message: str, dry_run: bool, furnished: Path, mlmw: Mlmw
) -> None:
    before = snapshot(furnished.parent)
    extra = ["--dry-run"] if dry_run else []
    result = mlmw("new", *extra, *arguments)
    expected = message.replace("{here}", str(furnished))
    assert (result.code, result.out, result.err) == (2, "", f"error: {expected}\n")
    assert snapshot(furnished.parent) == before


# Typer chooses the words of these, so only their shape is held.
USAGE = {
    "--no-such-option": ["x", "--no-such-option"],
    "--recipes": ["x", "--recipes", "tabular"],
    "(y)": ["x", "y"],
    "'--name'": ["x", "--name"],
    "'--dry-run'": ["x", "--dry-run=yes"],
}


@pytest.mark.parametrize("part", USAGE)
def test_usage_error(part: str, here: Path, mlmw: Mlmw) -> None:
    result = mlmw("new", *USAGE[part])
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("error: ")
    assert part in result.err
    assert result.err.endswith("(see 'mlmw new --help')\n")
    assert result.err.count("\n") == 1
    assert snapshot(here) == {}


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 50


def test_current_folder_although_empty(here: Path, mlmw: Mlmw) -> None:
    result = mlmw("new", str(here))
    assert result.code == 2
    assert "go up with 'cd ..' and give the name: mlmw new here" in result.err


def test_parent_without_permission(here: Path, mlmw: Mlmw, monkeypatch: pytest.MonkeyPatch) -> None:
    # Tests may run as root, who may write everywhere: the system's answer is replaced.
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    result = mlmw("new", "deep/er/project")
    assert result.code == 2
    assert result.err == (
        f"error: PATH 'deep/er/project': you may not write into {str(here)!r}; "
        "choose another place or change its permissions\n"
    )
    assert snapshot(here) == {}


def test_parent_that_takes_no_folders(
    here: Path, mlmw: Mlmw, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, *arguments: object, **options: object) -> None:
        raise OSError(30, "Read-only file system", str(self))

    monkeypatch.setattr(Path, "mkdir", refuse)
    result = mlmw("new", "project", "--defaults")
    assert result.code == 2
    assert result.err == (
        f"error: PATH 'project': no folder can be made in {str(here)!r} (Read-only file system); "
        "choose another place\n"
    )
    assert snapshot(here) == {}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc, where nobody can write")
def test_proc(mlmw: Mlmw) -> None:
    result = mlmw("new", "/proc/project", "--defaults")
    assert result.code == 2
    assert result.err.startswith("error: PATH '/proc/project': ")
    assert result.err.count("\n") == 1


def test_unknown_recipe_in_the_catalogue(mlmw: Mlmw) -> None:
    result = mlmw("recipes", "tabula")
    assert (result.code, result.out) == (2, "")
    assert result.err == (
        f"error: recipe 'tabula': no such recipe; did you mean 'tabular'? recipes: {ALL_RECIPES}\n"
    )


def test_unknown_command(mlmw: Mlmw) -> None:
    result = mlmw("nwe")
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("error: no such command 'nwe'")
    assert result.err.endswith("(see 'mlmw --help')\n")

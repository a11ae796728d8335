"""`mlmw new`: what it prints, what it makes, and that plain Copier makes the same."""

import os
import shutil
import stat
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from conftest import Mlmw, snapshot
from copier import run_copy

from mlmw import target

Screen = Callable[[str, str], None]


def files(project: Path) -> dict[str, bytes | None]:
    """All of a project but Git's own folder."""
    return {
        path: content
        for path, content in snapshot(project).items()
        if path != ".git" and not path.startswith(".git/")
    }


def answers(project: Path) -> dict[str, object]:
    loaded: dict[str, object] = yaml.safe_load((project / ".copier-answers.yml").read_text())
    return loaded


def without_source(project: Path) -> dict[str, bytes | None]:
    """A project's files, with the template's place and version out of the answers."""
    found = files(project)
    text = found[".copier-answers.yml"]
    assert text is not None
    kept = [
        line
        for line in text.splitlines(keepends=True)
        if not line.startswith((b"_src_path:", b"_commit:"))
    ]
    assert len(kept) < len(text.splitlines())
    return found | {".copier-answers.yml": b"".join(kept)}


@pytest.mark.parametrize("recipes", [[], ["tabular"]], ids=["baseline", "tabular"])
def test_screen(recipes: list[str], here: Path, mlmw: Mlmw, screen: Screen) -> None:
    options = [f"--recipe={recipe}" for recipe in recipes]
    result = mlmw("new", "my-project", "--defaults", *options)
    assert (result.code, result.err) == (0, "")
    screen(f"new-{'-'.join(recipes) or 'baseline'}.txt", result.out)
    shown = [line for line in result.out.split("\n\n")[0].splitlines()[1:] if line[-1] != "/"]
    on_disk = [content for content in files(here / "my-project").values() if content is not None]
    assert len(shown) == len(on_disk)
    assert f"Made {len(on_disk)} files" in result.out
    assert [path.name for path in here.iterdir()] == ["my-project"]


def test_dry_run_shows_the_same_and_writes_nothing(
    here: Path, mlmw: Mlmw, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    preview = mlmw("new", "my-project", "--defaults", "--dry-run")
    assert (preview.code, preview.err) == (0, "")
    assert snapshot(here) == {}
    assert snapshot(temporary) == {}
    made = mlmw("new", "my-project", "--defaults")
    tree, rest = preview.out.split("\n\n")
    assert tree == made.out.split("\n\n")[0]
    assert rest.startswith("Would make ")
    assert rest.endswith("\nDry run: nothing was written.\n")


@pytest.mark.parametrize("recipes", [[], ["tabular"]], ids=["baseline", "tabular"])
def test_plain_copier_makes_the_same(
    recipes: list[str], here: Path, mlmw: Mlmw, root: Path, tmp_path: Path
) -> None:
    options = [f"--recipe={recipe}" for recipe in recipes]
    assert mlmw("new", "my-project", "--defaults", *options).code == 0
    other = tmp_path / "other" / "my-project"
    command = [sys.executable, "-m", "copier", "copy", "--quiet", "--defaults", "--vcs-ref=HEAD"]
    data = [f"--data=recipes=[{','.join(recipes)}]"] if recipes else []
    subprocess.run([*command, *data, str(root), str(other)], check=True)
    assert without_source(here / "my-project") == without_source(other)
    assert answers(here / "my-project")["_src_path"] == str(root)


def test_all_options(here: Path, mlmw: Mlmw) -> None:
    result = mlmw(
        *("new", "folder", "--recipe", "tabular,tabular", "--recipe", "tabular", "--no-git"),
        *("--name", "Ünï {{ 1 }} \"quoted\" 'name' \\ 🚀", "--package", "other"),
        *("--description", "Says {% raw %} \"so\" & <more> \\n $HOME 'x'", "--author", 'A "B" Ö'),
        *("--email", "a.b+c@example.org", "--license", "BSD-3-Clause", "--python", "3.12"),
    )
    assert (result.code, result.err) == (0, "")
    project = here / "folder"
    stored = answers(project)
    assert {key: value for key, value in stored.items() if key[0] != "_"} == {
        "project_name": "Ünï {{ 1 }} \"quoted\" 'name' \\ 🚀",
        "package": "other",
        "description": "Says {% raw %} \"so\" & <more> \\n $HOME 'x'",
        "author": 'A "B" Ö',
        "email": "a.b+c@example.org",
        "licence": "BSD-3-Clause",
        "python_version": "3.12",
        "recipes": ["tabular"],
    }
    assert (project / "src" / "other" / "__init__.py").is_file()
    assert not (project / ".git").exists()
    metadata = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert metadata["description"] == stored["description"]
    assert 'A "B" Ö' in (project / "LICENSE").read_text(encoding="utf-8")


def test_name_comes_from_the_folder(here: Path, mlmw: Mlmw) -> None:
    assert mlmw("new", "Köln Rain", "--defaults", "--no-git").code == 0
    stored = answers(here / "Köln Rain")
    assert (stored["project_name"], stored["package"]) == ("Köln Rain", "koln_rain")


def test_next_commands_quote_the_path(mlmw: Mlmw) -> None:
    result = mlmw("new", "two words", "--defaults", "--no-git")
    assert "  cd 'two words'\n" in result.out


def test_missing_parents_are_made(here: Path, mlmw: Mlmw) -> None:
    assert mlmw("new", "a/b/project", "--defaults", "--no-git").code == 0
    assert (here / "a" / "b" / "project" / "README.md").is_file()
    assert [path.name for path in here.iterdir()] == ["a"]
    assert [path.name for path in (here / "a" / "b").iterdir()] == ["project"]


@pytest.mark.parametrize("given", ["empty", "empty/", "../here/empty"])
def test_empty_folder_is_fine(given: str, here: Path, mlmw: Mlmw) -> None:
    (here / "empty").mkdir()
    assert mlmw("new", given, "--defaults", "--no-git").code == 0
    assert (here / "empty" / "README.md").is_file()


def test_umask_is_respected(here: Path, mlmw: Mlmw) -> None:
    before = os.umask(0o027)
    try:
        assert mlmw("new", "project", "--defaults", "--no-git").code == 0
    finally:
        os.umask(before)
    assert stat.S_IMODE((here / "project").stat().st_mode) == 0o750


def test_output_without_unicode(mlmw: Mlmw, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", open(os.devnull, "w", encoding="ascii"))  # noqa: SIM115
    assert mlmw("new", "project", "--defaults", "--no-git").code == 0


@pytest.fixture
def broken(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A template of which a file cannot be rendered."""
    copy = tmp_path / "broken"
    for name in ("copier.yml", "template", "recipes", "generator/mlmw/reserved-names.yml"):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (root / name).is_dir() else shutil.copy)(root / name, copy / name)
    (copy / "template" / "zz.jinja").write_text("{{ 1 / 0 }}")
    monkeypatch.setattr("mlmw.new.template_root", lambda: copy)
    return copy


def test_failure_while_rendering_leaves_nothing(broken: Path, here: Path, mlmw: Mlmw) -> None:
    with pytest.raises(ZeroDivisionError):
        mlmw("new", "a/b/project", "--defaults")
    assert snapshot(here) == {}


def test_full_disk(here: Path, mlmw: Mlmw, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(path: Path, content: bytes) -> int:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_bytes", write)
    result = mlmw("new", "project", "--defaults")
    assert (result.code, result.out) == (1, "")
    assert "it could not be written (No space left on device); nothing was made\n" in result.err
    assert result.err.count("\n") == 1
    assert snapshot(here) == {}


def test_a_folder_that_appears_meanwhile_is_kept(
    here: Path, mlmw: Mlmw, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish = target.publish

    def too_late(folder: Path, place: target.Target) -> None:
        place.path.mkdir(parents=True)
        (place.path / "notes.txt").write_text("mine")
        publish(folder, place)

    monkeypatch.setattr(target, "publish", too_late)
    result = mlmw("new", "project", "--defaults")
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("error: PATH 'project': it changed meanwhile (")
    assert snapshot(here) == {"project": None, "project/notes.txt": b"mine"}


def test_parents_made_in_vain_are_removed(
    here: Path, mlmw: Mlmw, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Path, other: Path) -> Path:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "rename", fail)
    result = mlmw("new", "a/b/project", "--defaults")
    assert result.code == 1
    assert snapshot(here) == {}


def test_template_needs_no_trust(root: Path, here: Path) -> None:
    # `run_copy` itself refuses templates with tasks, migrations or extensions.
    run_copy(str(root), here / "project", defaults=True, unsafe=False, quiet=True, vcs_ref="HEAD")
    assert (here / "project" / "README.md").is_file()


def test_compiled_files_of_an_installed_template_stay_out(
    here: Path, mlmw: Mlmw, broken: Path
) -> None:
    (broken / "template" / "zz.jinja").unlink()
    for folder in [path for path in broken.rglob("*") if path.suffix == ".py"]:
        cache = folder.parent / "__pycache__"
        cache.mkdir(exist_ok=True)
        (cache / f"{folder.stem}.cpython-311.pyc").write_bytes(b"compiled")
    assert mlmw("new", "project", "--defaults", "--no-git").code == 0
    assert not [path for path in files(here / "project") if "__pycache__" in path]

"""The first commit, whatever the user's Git is set up like."""

import os
import subprocess
from pathlib import Path

import pytest
from conftest import Mlmw, snapshot

from mlmw import git

NEW = ("new", "my-project", "--defaults")


def ask_git(project: Path, *arguments: str) -> str:
    process = subprocess.run(
        ["git", *arguments], cwd=project, check=True, capture_output=True, text=True
    )
    return process.stdout.strip()


def assert_one_clean_commit(project: Path) -> None:
    assert ask_git(project, "rev-parse", "--show-toplevel") == str(project)
    assert ask_git(project, "rev-list", "--count", "HEAD") == "1"
    assert ask_git(project, "status", "--porcelain", "--ignored") == ""
    assert ask_git(project, "branch", "--show-current") == "main"
    committed = set(ask_git(project, "ls-tree", "-r", "--name-only", "HEAD").splitlines())
    on_disk = {path for path in snapshot(project) if (project / path).is_file()}
    assert committed == {path for path in on_disk if not path.startswith(".git/")}


def configure(text: str) -> None:
    Path(os.environ["GIT_CONFIG_GLOBAL"]).write_text(text)


def test_without_a_name(here: Path, mlmw: Mlmw) -> None:
    result = mlmw(*NEW)
    assert (result.code, result.err) == (0, "")
    assert result.out.count("Note:") == 1
    assert "the first commit has mlmw's own; set user.name and user.email" in result.out
    assert_one_clean_commit(here / "my-project")
    log = ask_git(here / "my-project", "log", "--format=%an <%ae> %s")
    assert log == "mlmw <mlmw@localhost> Start my-project with mlmw"


def test_name_from_the_answers(here: Path, mlmw: Mlmw) -> None:
    result = mlmw(*NEW, "--author", "Ada Lovelace", "--email", "ada@example.org")
    assert result.code == 0
    assert "Note:" not in result.out
    log = ask_git(here / "my-project", "log", "--format=%an <%ae>")
    assert log == "Ada Lovelace <ada@example.org>"


def test_own_name_comes_first(here: Path, mlmw: Mlmw) -> None:
    configure("[user]\nname = Own Name\nemail = own@example.org\nuseConfigOnly = true\n")
    assert mlmw(*NEW, "--author", "Ada Lovelace", "--email", "ada@example.org").code == 0
    log = ask_git(here / "my-project", "log", "--format=%an <%ae>")
    assert log == "Own Name <own@example.org>"


def test_name_from_the_environment(here: Path, mlmw: Mlmw, monkeypatch: pytest.MonkeyPatch) -> None:
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Own Name")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "own@example.org")
    assert "Note:" not in mlmw(*NEW).out


def test_author_that_git_would_refuse(here: Path, mlmw: Mlmw) -> None:
    assert mlmw(*NEW, "--author", "...").code == 0
    assert ask_git(here / "my-project", "log", "--format=%an") == "mlmw"


def test_signing_hooks_and_ignores_of_the_user(here: Path, mlmw: Mlmw, tmp_path: Path) -> None:
    hooks = tmp_path / "hooks"
    templates = tmp_path / "templates" / "hooks"
    for folder in (hooks, templates):
        folder.mkdir(parents=True)
        for name in ("pre-commit", "commit-msg", "post-commit", "reference-transaction"):
            (folder / name).write_text(f"#!/bin/sh\ntouch {tmp_path}/hook-ran\nexit 1\n")
            (folder / name).chmod(0o755)
    (tmp_path / "ignores").write_text("*.toml\nsrc/\n")
    configure(
        "[user]\nname = Own Name\nemail = own@example.org\n"
        "[commit]\ngpgsign = true\n[gpg]\nprogram = /nonexistent\n[init]\n"
        f"defaultBranch = trunk\ntemplateDir = {templates.parent}\n"
        f"[core]\nhooksPath = {hooks}\nexcludesFile = {tmp_path}/ignores\n"
    )
    result = mlmw(*NEW)
    assert (result.code, result.err) == (0, "")
    assert "Note:" not in result.out
    assert not (tmp_path / "hook-ran").exists()
    configure("")
    assert_one_clean_commit(here / "my-project")


def test_inside_another_repository(here: Path, mlmw: Mlmw) -> None:
    ask_git(here, "init", "--quiet")
    before = ask_git(here, "status", "--porcelain")
    result = mlmw(*NEW)
    assert result.code == 0
    note = f"Note: the project is a repository of its own inside that of {here}\n"
    assert note in result.out
    assert_one_clean_commit(here / "my-project")
    assert before == ""
    assert ask_git(here, "status", "--porcelain") == "?? my-project/"


def test_environment_of_a_hook(
    here: Path, mlmw: Mlmw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outer = tmp_path / "outer"
    outer.mkdir()
    ask_git(outer, "init", "--quiet")
    before = snapshot(outer)
    with monkeypatch.context() as patch:
        patch.setenv("GIT_DIR", str(outer / ".git"))
        patch.setenv("GIT_WORK_TREE", str(outer))
        patch.setenv("GIT_INDEX_FILE", str(outer / ".git" / "index"))
        patch.setenv("GIT_OBJECT_DIRECTORY", str(outer / ".git" / "objects"))
        result = mlmw(*NEW)
    assert (result.code, result.err) == (0, "")
    assert_one_clean_commit(here / "my-project")
    assert snapshot(outer) == before


def test_without_git(here: Path, mlmw: Mlmw, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(git, "available", lambda: False)
    result = mlmw(*NEW)
    assert (result.code, result.err) == (0, "")
    assert "Note: git was not found, so there is no first commit; " in result.out
    assert not (here / "my-project" / ".git").exists()


def test_git_that_fails(here: Path, mlmw: Mlmw, monkeypatch: pytest.MonkeyPatch) -> None:
    run = git.run

    def fail(folder: Path, *arguments: str, **settings: str) -> str:
        if arguments[0] == "commit":
            raise subprocess.CalledProcessError(128, "git", stderr="fatal: no luck\nhint: more\n")
        return run(folder, *arguments, **settings)

    monkeypatch.setattr(git, "run", fail)
    result = mlmw(*NEW)
    assert result.code == 0
    assert "Note: git made no first commit (fatal: no luck); " in result.out
    assert (here / "my-project" / "README.md").is_file()
    assert not (here / "my-project" / ".git").exists()


def test_no_git(here: Path, mlmw: Mlmw) -> None:
    result = mlmw(*NEW, "--no-git")
    assert "Note:" not in result.out
    assert not (here / "my-project" / ".git").exists()


def test_redirections_are_those_of_git(here: Path) -> None:
    local = set(ask_git(here, "rev-parse", "--local-env-vars").split())
    settings = {"GIT_CONFIG", "GIT_CONFIG_PARAMETERS", "GIT_CONFIG_COUNT"}
    assert local - settings <= set(git.REDIRECTIONS)

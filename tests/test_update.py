"""`mlmw update`: what it makes of a project, what it refuses, and that it can be undone."""

import contextlib
import errno
import json
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from conftest import Mlmw, snapshot
from releases import Releases, append, commit, copy_project, git, pack, working_tree

from mlmw import workshop
from mlmw.catalogue import load_catalogue

RECIPES = [recipe.name for recipe in load_catalogue() if not recipe.implicit]
CONFLICTS = 3


@pytest.fixture(scope="module")
def shelf(prepared: Releases, tmp_path_factory: pytest.TempPathFactory) -> tuple[Releases, Path]:
    """The real template at a place that stays, and where a project of it is kept for copies."""
    folder = tmp_path_factory.mktemp("shelf")
    copy = prepared.copy(folder)
    copy.publish("v0.1.0")
    return copy, folder / "project"


@pytest.fixture
def template(shelf: tuple[Releases, Path]) -> Releases:
    """The real template with its first release published."""
    template, _ = shelf
    template.rewind("v0.1.0")
    return template


@pytest.fixture
def project(shelf: tuple[Releases, Path], template: Releases, here: Path, mlmw: Mlmw) -> Path:
    """A project of the first release, while the second one is out."""
    _, kept = shelf
    if not kept.exists():
        new(mlmw, template, "project")
        pack(here / "project").rename(kept)
    template.publish("v0.2.0")
    return copy_project(kept, here / "project")


def new(mlmw: Mlmw, template: Releases, name: str, *recipes: str) -> None:
    options = [f"--recipe={recipe}" for recipe in recipes]
    command = ("new", name, "--template", str(template.place), "--name", "My project", *options)
    result = mlmw(*command, "--defaults")
    assert (result.code, result.err) == (0, "")


def update(mlmw: Mlmw, *arguments: str) -> dict[str, object]:
    """Update and return the only result; its exit code must fit."""
    result = mlmw("update", *arguments, "--json")
    assert result.err == ""
    [outcome] = json.loads(result.out)
    codes = {"conflicts": CONFLICTS, "refused": 2, "failed": 1, "behind": 1}
    assert result.code == codes.get(outcome["result"], 0)
    found: dict[str, object] = outcome
    return found


# --- What becomes of a project --------------------------------------------------------------------


@pytest.mark.parametrize("recipes", [[], *([name] for name in RECIPES), RECIPES], ids="-".join)
def test_unedited_project_becomes_a_fresh_one(
    recipes: list[str], template: Releases, here: Path, mlmw: Mlmw
) -> None:
    new(mlmw, template, "direct", *recipes)
    copy_project(here / "direct", here / "stepwise")
    template.publish("v0.2.0")
    assert update(mlmw, "stepwise")["result"] == "changed"
    commit(here / "stepwise")
    template.publish("v0.3.0")
    new(mlmw, template, "fresh", *recipes)
    for name in ("direct", "stepwise"):
        outcome = update(mlmw, name)
        assert (outcome["result"], outcome["new"]) == ("changed", "v0.3.0")
        assert working_tree(here / name) == working_tree(here / "fresh")
        assert git(here / name, "status", "--porcelain", "--untracked-files=all").count("??") == 0


def test_second_update_changes_nothing(project: Path, mlmw: Mlmw) -> None:
    assert update(mlmw, "project")["result"] == "changed"
    before = working_tree(project)
    assert update(mlmw, "project")["result"] == "unchanged"
    commit(project)
    assert update(mlmw, "project")["result"] == "unchanged"
    assert working_tree(project) == before
    assert git(project, "status", "--porcelain") == ""


def test_edits_and_changes_come_together(project: Path, mlmw: Mlmw) -> None:
    readme = project / "README.md"
    readme.write_text("Mine above.\n" + readme.read_text())
    package = project / "src" / "my_project"
    (package / "reporting.py").write_text('"""Mine."""\n' + (package / "reporting.py").read_text())
    (package / "pipeline.py").rename(package / "steps.py")
    (project / "notes.md").write_text("mine\n")
    commit(project)
    outcome = update(mlmw, "project")
    assert outcome["result"] == "changed"
    assert readme.read_text().startswith("Mine above.\n")
    assert readme.read_text().endswith("Second release of My project.\n")
    assert (package / "reports.py").read_text().startswith('"""Mine."""\n')
    assert not (package / "reporting.py").exists()
    assert (package / "steps.py").exists()
    assert not (package / "pipeline.py").exists()
    assert (project / "notes.md").read_text() == "mine\n"


def test_what_the_user_deleted_stays_deleted(project: Path, mlmw: Mlmw) -> None:
    git(project, "rm", "--quiet", "Makefile")
    commit(project)
    outcome = update(mlmw, "project")
    assert (outcome["result"], outcome["kept_deleted"]) == ("changed", ["Makefile"])
    assert not (project / "Makefile").exists()


def test_what_the_template_deletes_but_the_user_edited_stays(project: Path, mlmw: Mlmw) -> None:
    append(project / ".dockerignore", "mine\n")
    commit(project)
    mine = (project / ".dockerignore").read_bytes()
    outcome = update(mlmw, "project")
    assert [one["path"] for one in outcome["conflicts"]] == [".dockerignore"]  # type: ignore[attr-defined]
    assert (project / ".dockerignore").read_bytes() == mine


@pytest.mark.parametrize("ignored", [False, True])
def test_untracked_files_are_never_overwritten(ignored: bool, project: Path, mlmw: Mlmw) -> None:
    if ignored:
        (project / ".git" / "info").mkdir(exist_ok=True)
        (project / ".git" / "info" / "exclude").write_text("second.md\n")
    (project / "docs" / "second.md").write_text("mine\n")
    outcome = update(mlmw, "project")
    [conflict] = outcome["conflicts"]  # type: ignore[misc]
    assert (conflict["path"], conflict["kind"]) == ("docs/second.md", "untracked")
    assert (project / "docs" / "second.md").read_text() == "mine\n"
    assert (project / conflict["sidecar"]).read_text() == "# My project, second\n"
    assert mlmw("update", "project", "--continue").code == CONFLICTS
    (project / conflict["sidecar"]).unlink()
    assert mlmw("update", "project", "--continue").code == 0


def write_mine(path: Path) -> None:
    path.write_text("mine\n")


# A pipe stands for all that is neither file nor folder.
@pytest.mark.parametrize("make", [write_mine, *([os.mkfifo] if hasattr(os, "mkfifo") else [])])
def test_untracked_file_where_a_folder_has_to_be(
    make: Callable[[Path], None], project: Path, mlmw: Mlmw
) -> None:
    shutil.rmtree(project / "docs")
    commit(project)
    make(project / "docs")
    outcome = update(mlmw, "project")
    [conflict] = outcome["conflicts"]  # type: ignore[misc]
    assert conflict["sidecar"] == "docs.from-template/second.md"
    assert make is not write_mine or (project / "docs").read_text() == "mine\n"
    assert not (project / "docs").is_dir()
    assert (project / conflict["sidecar"]).read_text() == "# My project, second\n"
    assert mlmw("update", "project", "--abort").code == 0
    assert not (project / "docs.from-template").exists()


def test_untracked_link_is_not_written_through(project: Path, mlmw: Mlmw, tmp_path: Path) -> None:
    shutil.rmtree(project / "docs")
    commit(project)
    (tmp_path / "elsewhere").mkdir()
    (project / "docs").symlink_to(tmp_path / "elsewhere")
    assert update(mlmw, "project")["result"] == "conflicts"
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_untracked_file_that_is_the_same_is_no_conflict(project: Path, mlmw: Mlmw) -> None:
    (project / "docs" / "second.md").write_text("# My project, second\n")
    before = working_tree(project)
    assert update(mlmw, "project")["result"] == "changed"
    assert mlmw("update", "project", "--abort").code == 0
    assert working_tree(project) == before


@pytest.mark.skipif(os.name == "nt", reason="Windows knows no such permissions")
def test_permissions_stay(project: Path, mlmw: Mlmw) -> None:
    (project / "Makefile").chmod(0o600)
    (project / "README.md").chmod(0o755)
    git(project, "config", "core.fileMode", "false")
    wanted = {"Makefile": 0o600, "README.md": 0o755}
    for command in ((), ("--abort",)):
        assert mlmw("update", "project", *command).code == 0
        assert {name: stat.S_IMODE((project / name).stat().st_mode) for name in wanted} == wanted


# --- Conflicts, and the ways out ------------------------------------------------------------------


@pytest.fixture
def conflicting(project: Path) -> Path:
    """A project whose owner wrote where the second release writes."""
    append(project / "Makefile", "# mine\n")
    append(project / ".dockerignore", "mine\n")
    commit(project)
    return project


def test_conflicts_are_listed_and_left_as_git_leaves_them(conflicting: Path, mlmw: Mlmw) -> None:
    result = mlmw("update", "project")
    assert (result.code, result.err) == (CONFLICTS, "")
    assert "Conflicts (2), for you to decide:\n  .dockerignore: modify/delete\n" in result.out
    assert "  Makefile: contents\n" in result.out
    text = (conflicting / "Makefile").read_text()
    assert "<<<<<<< yours\n# mine\n=======\n" in text
    assert ">>>>>>> template-v0.2.0\n" in text
    unmerged = git(conflicting, "diff", "--name-only", "--diff-filter=U").splitlines()
    assert unmerged == [".dockerignore", "Makefile"]
    [state] = json.loads(mlmw("status", "project", "--json").out)
    assert [one["path"] for one in state["conflicts"]] == [".dockerignore", "Makefile"]
    assert "  Under way  update with open conflicts\n" in mlmw("status", "project").out + "\n"
    refused = mlmw("update", "project")
    assert refused.code == 2
    assert "its last update has open conflicts; resolve them, git add" in refused.err


def test_continue_once_resolved(conflicting: Path, mlmw: Mlmw) -> None:
    assert update(mlmw, "project")["result"] == "conflicts"
    assert [
        one["path"]
        for one in update(mlmw, "project", "--continue")["conflicts"]  # type: ignore[attr-defined]
    ] == [".dockerignore", "Makefile"]
    git(conflicting, "rm", "--quiet", ".dockerignore")
    git(conflicting, "add", "Makefile")  # with its markers, as happens
    assert [
        one["path"]
        for one in update(mlmw, "project", "--continue")["conflicts"]  # type: ignore[attr-defined]
    ] == ["Makefile"]
    (conflicting / "Makefile").write_text("all: # mine\n")
    git(conflicting, "add", "Makefile")
    assert update(mlmw, "project", "--continue")["result"] == "changed"
    commit(conflicting)
    assert update(mlmw, "project")["result"] == "unchanged"
    assert (conflicting / "Makefile").read_text() == "all: # mine\n"


def test_resolved_with_lines_like_markers(conflicting: Path, mlmw: Mlmw) -> None:
    assert update(mlmw, "project")["result"] == "conflicts"
    git(conflicting, "rm", "--quiet", ".dockerignore")
    text = "all:\n<<<<<<< HEAD\n=======\n>>>>>>> other\n"
    (conflicting / "Makefile").write_text(text)
    assert update(mlmw, "project", "--continue")["result"] == "conflicts"  # not added yet
    git(conflicting, "add", "Makefile")
    assert update(mlmw, "project", "--continue")["result"] == "changed"
    assert (conflicting / "Makefile").read_text() == text


def test_resolved_and_committed_without_continue(conflicting: Path, mlmw: Mlmw) -> None:
    assert update(mlmw, "project")["result"] == "conflicts"
    (conflicting / "Makefile").write_text("all: # mine\n")
    commit(conflicting)
    assert update(mlmw, "project")["result"] == "unchanged"


@pytest.mark.parametrize("edited", [False, True])
def test_abort_brings_everything_back(edited: bool, conflicting: Path, mlmw: Mlmw) -> None:
    (conflicting / "untracked.txt").write_text("mine\n")
    (conflicting / "docs" / "second.md").write_text("mine too\n")
    before = working_tree(conflicting)
    assert update(mlmw, "project")["result"] == "conflicts"
    assert git(conflicting, "rev-parse", "refs/mlmw/before/1") == git(
        conflicting, "rev-parse", "HEAD"
    )
    if edited:
        (conflicting / "Makefile").write_text("half resolved\n")
    outcome = update(mlmw, "project", "--abort")
    assert outcome["result"] == "undone"
    assert working_tree(conflicting) == before
    assert git(conflicting, "status", "--porcelain").splitlines() == [
        "?? docs/second.md",
        "?? untracked.txt",
    ]
    if edited:
        assert "refs/mlmw/kept/1" in str(outcome["message"])
        kept = git(conflicting, "show", "refs/mlmw/kept/1:Makefile")
        assert kept == "half resolved"
    assert mlmw("update", "project", "--abort").code == 2
    assert update(mlmw, "project")["result"] == "conflicts"


def test_abort_after_the_commit(project: Path, mlmw: Mlmw) -> None:
    before = working_tree(project)
    assert update(mlmw, "project")["result"] == "changed"
    commit(project)
    assert update(mlmw, "project", "--abort")["result"] == "undone"
    assert working_tree(project) == before


def test_abort_after_the_commit_leaves_other_work(project: Path, mlmw: Mlmw) -> None:
    assert update(mlmw, "project")["result"] == "changed"
    commit(project)
    append(project / "pyproject.toml", "# not of the update\n")
    before = working_tree(project)
    assert update(mlmw, "project", "--abort")["result"] == "undone"
    assert working_tree(project)["pyproject.toml"] == before["pyproject.toml"]


def test_abort_one_after_the_other(project: Path, mlmw: Mlmw) -> None:
    """Two commands whose results are staged are undone in turn."""
    states = [working_tree(project)]
    assert update(mlmw, "project")["result"] == "changed"
    states.append(working_tree(project))
    assert mlmw("add", "tabular", "--project", "project").code == 0
    assert git(project, "rev-parse", "refs/mlmw/before/2^") == git(
        project, "rev-parse", "refs/mlmw/before/1"
    )
    for before in reversed(states):
        assert update(mlmw, "project", "--abort")["result"] == "undone"
        assert working_tree(project) == before
    assert git(project, "status", "--porcelain") == ""
    assert mlmw("update", "project", "--abort").code == 2


@pytest.mark.parametrize("way", ["--abort", "--continue"])
def test_not_on_another_branch(way: str, conflicting: Path, mlmw: Mlmw) -> None:
    git(conflicting, "branch", "other", "HEAD~")
    assert update(mlmw, "project")["result"] == "conflicts"
    git(conflicting, "symbolic-ref", "HEAD", "refs/heads/other")
    before = snapshot(conflicting)
    refused = mlmw("update", "project", way)
    assert refused.code == 2
    assert "it is at another commit than the update" in refused.err
    assert snapshot(conflicting) == before


# --- Only looking ---------------------------------------------------------------------------------


def test_preview_shows_the_patch_and_touches_nothing(
    project: Path, mlmw: Mlmw, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    before = snapshot(project)
    result = mlmw("update", "project", "--preview")
    assert (result.code, result.err) == (0, "")
    assert "\n+# Since the second release\n" in result.out
    assert snapshot(project) == before
    assert snapshot(temporary) == {}


def test_preview_tells_of_conflicts(conflicting: Path, mlmw: Mlmw) -> None:
    before = snapshot(conflicting)
    result = mlmw("update", "project", "--preview")
    assert result.code == CONFLICTS
    assert "Conflicts (2), that there would be:\n" in result.out
    assert result.out.endswith("Makefile: contents\n")  # and no advice that does not apply
    assert snapshot(conflicting) == before


def test_check(project: Path, mlmw: Mlmw) -> None:
    append(project / "Makefile", "# not even committed\n")
    before = snapshot(project)
    assert update(mlmw, "project", "--check")["result"] == "behind"
    assert snapshot(project) == before
    assert update(mlmw, "project", "--check", "--to", "0.1.0")["result"] == "unchanged"
    [state] = json.loads(mlmw("status", "project", "--json").out)
    assert (state["behind"], state["newer"]) == (1, ["v0.2.0"])


def test_to_a_version(template: Releases, project: Path, mlmw: Mlmw) -> None:
    template.publish("v0.3.0")
    assert update(mlmw, "project", "--to", "0.2.0")["new"] == "v0.2.0"
    assert update(mlmw, "project", "--to", "v0.3.0")["new"] == "v0.3.0"
    assert update(mlmw, "project", "--to", "v0.1.0")["new"] == "v0.1.0"
    result = mlmw("update", "project", "--to", "@{1}")
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "version '@{1}': the template at" in result.err
    assert git(project, "status", "--porcelain") == ""


# --- Refusals: one line, exit code 2, nothing changed ---------------------------------------------


def edit_answers(project: Path, **changes: object) -> None:
    path = project / ".copier-answers.yml"
    text = path.read_text(encoding="utf-8")
    stored = {**yaml.safe_load(text), **changes}
    head = "".join(line for line in text.splitlines(keepends=True) if line.startswith("#"))
    kept = {key: value for key, value in stored.items() if value is not None}
    path.write_text(head + yaml.safe_dump(kept), encoding="utf-8")
    commit(project)


def answers_text(text: str) -> Callable[[Path], None]:
    def write(project: Path) -> None:
        (project / ".copier-answers.yml").write_text(text)
        commit(project)

    return write


def remove_git(project: Path) -> None:
    shutil.rmtree(project / ".git")


def forget_commits(project: Path) -> None:
    remove_git(project)
    git(project, "init", "--quiet")


def stage_something(project: Path) -> None:
    (project / "new.txt").write_text("new")
    git(project, "add", "new.txt")


def untrack_answers(project: Path) -> None:
    git(project, "rm", "--quiet", "--cached", ".copier-answers.yml")
    git(project, "commit", "--quiet", "--no-verify", "--message", "No answers")


def hide_edit(project: Path) -> None:
    git(project, "update-index", "--assume-unchanged", "Makefile")
    append(project / "Makefile", "# mine\n")


def hide_more(project: Path) -> None:
    git(project, "update-index", "--skip-worktree", "Makefile")
    append(project / "Makefile", "# mine\n")


def hidden(change: Callable[[Path], object]) -> Callable[[Path], None]:
    """A change of the Makefile that git was told not to look at."""

    def hide(project: Path) -> None:
        git(project, "update-index", "--skip-worktree", "Makefile")
        change(project / "Makefile")

    return hide


def as_link(path: Path) -> None:
    """The same content, but of a file elsewhere."""
    path.rename(path.with_name(".git") / "elsewhere")
    path.symlink_to(Path(".git", "elsewhere"))


def as_dangling_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


def as_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "mine.txt").write_text("mine\n")


def same_size_and_times(project: Path) -> None:
    """An edit that git cannot tell from the file that it wrote."""
    git(project, "config", "core.checkStat", "minimal")
    git(project, "config", "core.trustctime", "false")
    path = project / "Makefile"
    os.utime(path, (1_000_000_000, 1_000_000_000))
    git(project, "update-index", "--refresh")
    path.write_bytes(b"#" * path.stat().st_size)
    os.utime(path, (1_000_000_000, 1_000_000_000))
    assert git(project, "status", "--porcelain") == ""


def nest_repository(project: Path) -> None:
    shutil.rmtree(project / "docs")
    commit(project)
    (project / "docs").mkdir()
    git(project / "docs", "init", "--quiet")
    (project / "docs" / "mine.txt").write_text("mine\n")
    commit(project / "docs")


def add_submodule(project: Path) -> None:
    nest_repository(project)
    git(project, "add", "docs")
    git(project, "commit", "--quiet", "--no-verify", "--message", "A submodule")


def add_submodule_that_is_not_there(project: Path) -> None:
    add_submodule(project)
    shutil.rmtree(project / "docs")
    (project / "docs").mkdir()


def begin_merge(project: Path) -> None:
    git(project, "checkout", "--quiet", "-b", "other")
    commit(project)
    git(project, "checkout", "--quiet", "main")
    git(project, "merge", "--quiet", "--no-ff", "--no-commit", "other")


def begin_rebase(project: Path) -> None:
    commit(project)
    with contextlib.suppress(subprocess.CalledProcessError):
        git(project, "rebase", "--quiet", "--exec", "false", "--force-rebase", "HEAD~")


def failing_filter(project: Path) -> None:
    append(project / ".gitattributes", "README.md filter=lfs\n")
    commit(project)
    git(project, "config", "filter.lfs.required", "true")
    git(project, "config", "filter.lfs.clean", "false")
    os.utime(project / "README.md", (1_000_000_000, 1_000_000_000))  # so that git looks at it


REFUSALS: dict[str, tuple[Callable[[Path], object], str]] = {
    "dirty": (lambda p: append(p / "README.md", "x"), "commit or stash them first"),
    "assumed unchanged": (hide_edit, "git was told not to look at it"),
    "skipped": (hide_more, "git was told not to look at it"),
    "hidden link": (hidden(as_link), "git was told not to look at it"),
    "hidden dangling link": (hidden(as_dangling_link), "git was told not to look at it"),
    "hidden folder": (hidden(as_folder), "git was told not to look at it"),
    "hidden deletion": (hidden(Path.unlink), "git was told not to look at it"),
    "hidden mode": (hidden(lambda p: p.chmod(0o755)), "git was told not to look at it"),
    "nested repository": (nest_repository, "'docs' is a repository of its own"),
    "submodule": (add_submodule, "'docs' is a repository of its own"),
    "empty submodule": (add_submodule_that_is_not_there, "'docs' is a repository of its own"),
    "unseen edit": (same_size_and_times, "though its size and times are those that git remembers"),
    "merge": (begin_merge, "a merge is under way in its repository"),
    "rebase": (begin_rebase, "a rebase is under way in its repository"),
    "filter": (failing_filter, "it cannot be looked at"),
    "broken index": (lambda p: (p / ".git" / "index").write_bytes(b"x"), "it cannot be looked at"),
    "staged": (stage_something, "commit or stash them first"),
    "no answers": (lambda p: (p / ".copier-answers.yml").unlink(), "by which projects are known"),
    "empty answers": (answers_text(""), "it holds no answers"),
    "broken answers": (answers_text("a: [\n"), "it is not YAML"),
    "markers": (answers_text("<<<<<<< HEAD\n_commit: a\n"), "it holds conflict markers"),
    "no version": (lambda p: edit_answers(p, _commit=None), "it has no _commit"),
    "no source": (lambda p: edit_answers(p, _src_path=None), "it has no _src_path"),
    "unknown version": (lambda p: edit_answers(p, _commit="v9.9.9"), "does not have it"),
    "option as version": (lambda p: edit_answers(p, _commit="--help"), "does not have it"),
    "lost source": (lambda p: edit_answers(p, _src_path="/not/there"), "not on this machine"),
    "no template": (lambda p: edit_answers(p, _src_path=str(p.parent)), "git cannot read it"),
    "odd source": (lambda p: edit_answers(p, _src_path="ext::sh -c x"), "git cannot read it"),
    "newer recipe": (lambda p: edit_answers(p, recipes=["from-the-future"]), "from-the-future"),
    "odd recipes": (lambda p: edit_answers(p, recipes="cnn"), "not a list of names"),
    "edited recipes": (lambda p: edit_answers(p, recipes=[RECIPES[0]]), "edited by hand"),
    "edited answer": (lambda p: edit_answers(p, author="Somebody"), "edited by hand"),
    "untracked answers": (untrack_answers, "git does not track it"),
    "bad answer": (lambda p: edit_answers(p, licence="GPL"), "it refuses an answer"),
    "no repository": (remove_git, "it is in no Git repository"),
    "no commit": (forget_commits, "its files are in no commit yet"),
}


if os.name == "nt":  # which knows no such mode
    del REFUSALS["hidden mode"]


@pytest.mark.parametrize("case", REFUSALS)
def test_refusals(case: str, project: Path, mlmw: Mlmw) -> None:
    prepare, words = REFUSALS[case]
    prepare(project)
    before = snapshot(project)
    result = mlmw("update", "project")
    assert (result.code, result.out) == (2, "")
    assert words in result.err
    assert result.err.startswith("error: ")
    assert result.err.count("\n") == 1
    assert snapshot(project) == before


def test_filter_that_cannot_write(project: Path, mlmw: Mlmw) -> None:
    """Git fails when nothing is replaced yet, and could not write the old files either."""
    append(project / ".gitattributes", "* filter=lfs\n")
    commit(project)
    git(project, "config", "filter.lfs.required", "true")
    git(project, "config", "filter.lfs.clean", "cat")
    git(project, "config", "filter.lfs.smudge", "false")
    before = working_tree(project)
    result = mlmw("update", "project")
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert "(external filter 'false' failed 1); nothing was changed\n" in result.err
    assert working_tree(project) == before
    assert "no update is under way" in mlmw("update", "project", "--abort").err


def test_status_of_a_bad_answer(project: Path, mlmw: Mlmw) -> None:
    path = project / ".copier-answers.yml"
    path.write_text(path.read_text().replace("package: my_project", "package: null"))
    result = mlmw("status", "project")
    assert (result.code, result.err) == (0, "")
    assert "it refuses an answer of .copier-answers.yml" in result.out


def test_empty_template(mlmw: Mlmw) -> None:
    result = mlmw("update", "--template", "")
    assert (result.code, result.out) == (2, "")
    assert result.err == "error: --template '': it is empty; give it a value\n"


@pytest.mark.skipif(os.name == "nt", reason="Windows removes no folder that somebody is in")
@pytest.mark.parametrize("command", [["update"], ["status"], ["add", "cnn"], ["new", "x"]])
def test_current_folder_that_is_gone(
    command: list[str], here: Path, mlmw: Mlmw, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.rmdir()
    result = mlmw(*command)
    monkeypatch.chdir(here.parent)
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)


def test_no_git(project: Path, mlmw: Mlmw, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    result = mlmw("update", "project")
    assert result.code == 2
    assert result.err == (
        "error: project 'project': git was not found; install git: it merges the changes\n"
    )


@pytest.mark.parametrize("path", ["missing", "empty", "project/src", ""])
def test_no_project(path: str, project: Path, here: Path, mlmw: Mlmw) -> None:
    (here / "empty").mkdir()
    result = mlmw("update", path)
    assert result.code == 2
    assert result.err.startswith(f"error: PATH {path!r}: ")
    assert ("did you mean" in result.err) == (path == "project/src")


@pytest.mark.parametrize(
    "arguments",
    [["--abort", "--continue"], ["--check", "--preview"], ["--abort", "--to", "v0.1.0"]],
)
def test_options_that_exclude_each_other(arguments: list[str], mlmw: Mlmw) -> None:
    result = mlmw("update", *arguments)
    assert result.code == 2
    assert "these do not go together" in result.err


@pytest.mark.parametrize("way", ["--abort", "--continue"])
def test_nothing_under_way(way: str, project: Path, mlmw: Mlmw) -> None:
    result = mlmw("update", "project", way)
    assert result.code == 2
    assert "no update is under way" in result.err


def test_index_locked_by_another_git(project: Path, mlmw: Mlmw) -> None:
    (project / ".git" / "index.lock").touch()
    before = snapshot(project)
    result = mlmw("update", "project")
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "another git process holds" in result.err
    assert snapshot(project) == before


# --- Wherever and however the owner uses git ------------------------------------------------------


def test_without_an_identity(project: Path, mlmw: Mlmw, monkeypatch: pytest.MonkeyPatch) -> None:
    Path(os.environ["GIT_CONFIG_GLOBAL"]).write_text("[user]\nuseConfigOnly = true\n")
    monkeypatch.setenv("GIT_AUTHOR_NAME", "")
    assert update(mlmw, "project")["result"] == "changed"  # it commits nothing in your name


def test_nothing_of_the_user_runs(project: Path, mlmw: Mlmw, tmp_path: Path) -> None:
    append(project / "Makefile", "# mine\n")
    append(project / ".gitattributes", "*.md merge=mine\nMakefile merge=mine\n")
    commit(project)
    trap = f"touch {tmp_path}/ran"
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for name in ("pre-commit", "post-checkout", "post-index-change", "reference-transaction"):
        (hooks / name).write_text(f"#!/bin/sh\n{trap}\nexit 1\n")
        (hooks / name).chmod(0o755)
    Path(os.environ["GIT_CONFIG_GLOBAL"]).write_text(
        f"[core]\nhooksPath = {hooks}\nautocrlf = false\nfsmonitor = {trap}\n"
        f'[merge]\nconflictStyle = diff3\nrenames = false\n[merge "mine"]\ndriver = {trap}\n'
        "[commit]\ngpgsign = true\n[gpg]\nprogram = false\n[diff]\nrenames = false\n"
        "[protocol]\nallow = always\n"
    )
    outcome = update(mlmw, "project")
    assert [one["path"] for one in outcome["conflicts"]] == ["Makefile"]  # type: ignore[attr-defined]
    assert "|||||||" not in (project / "Makefile").read_text()
    assert mlmw("update", "project", "--abort").code == 0
    assert not (tmp_path / "ran").exists()


def test_line_ends_of_windows_users(project: Path, mlmw: Mlmw) -> None:
    (project / ".gitattributes").unlink()
    (project / "README.md").write_bytes(b"mine\r\n" + (project / "README.md").read_bytes())
    Path(os.environ["GIT_CONFIG_GLOBAL"]).write_text("[core]\nautocrlf = true\n")
    commit(project)
    shutil.rmtree(project / "src")
    git(project, "checkout", "--", ".")
    assert b"\r\n" in (project / "src" / "my_project" / "pipeline.py").read_bytes()
    outcome = update(mlmw, "project")
    assert outcome["result"] == "changed"
    assert (project / "README.md").read_bytes().startswith(b"mine\r\n")
    assert (project / "Makefile").read_bytes().endswith(b"# Since the second release\r\n")
    assert git(project, "diff", "--name-only") == ""


def test_project_in_a_bigger_repository(
    template: Releases, here: Path, mlmw: Mlmw, tmp_path: Path
) -> None:
    git(here, "init", "--quiet")
    names = ("one", "größe two", "v1.0~x")
    for name in names:
        (here / "libs").mkdir(exist_ok=True)
        new(mlmw, template, f"libs/{name}")
        shutil.rmtree(here / "libs" / name / ".git")
    (here / "other.txt").write_text("other\n")
    commit(here)
    template.publish("v0.2.0")
    new(mlmw, template, str(tmp_path / "fresh"))
    (here / "other.txt").write_text("not committed\n")
    before = working_tree(here)
    for name in names:
        assert update(mlmw, f"libs/{name}")["result"] == "changed"
        assert working_tree(here / "libs" / name) == working_tree(tmp_path / "fresh")
    assert (here / "other.txt").read_text() == "not committed\n"
    assert git(here, "diff", "--name-only") == "other.txt"
    for name in names:
        (here / "libs" / name / "Makefile").write_text(name)
        assert update(mlmw, f"libs/{name}", "--abort")["result"] == "undone"
    assert working_tree(here) == before
    kept = [
        ref
        for ref in git(here, "for-each-ref", "--format=%(refname)", "refs/mlmw").splitlines()
        if ref.startswith("refs/mlmw/kept-libs%2F")
    ]
    changed = {git(here, "diff", "--name-only", "-z", f"{ref}^", ref) for ref in kept}
    assert changed == {f"libs/{name}/Makefile\0" for name in names}


def test_linked_working_tree(project: Path, here: Path, mlmw: Mlmw) -> None:
    git(project, "worktree", "add", "--quiet", "-b", "other", str(here / "linked"))
    before = working_tree(project)
    assert update(mlmw, "linked")["result"] == "changed"
    assert working_tree(project) == before
    assert git(project, "status", "--porcelain") == ""
    assert update(mlmw, "linked", "--abort")["result"] == "undone"
    assert working_tree(here / "linked") == before


def test_two_working_trees_keep_their_results(
    template: Releases, project: Path, here: Path, mlmw: Mlmw
) -> None:
    """Whatever another one does, git's cleaning leaves what an abort needs."""
    git(project, "worktree", "add", "--quiet", "-b", "other", str(here / "linked"))
    append(here / "linked" / "Makefile", "# mine\n")
    commit(here / "linked")
    before = working_tree(project)
    assert update(mlmw, "project")["result"] == "changed"
    assert update(mlmw, "linked")["result"] == "conflicts"
    assert update(mlmw, "linked", "--abort")["result"] == "undone"
    shutil.rmtree(here / "linked")
    git(project, "rm", "--quiet", "--cached", "docs/second.md")
    git(project, "reflog", "expire", "--expire=now", "--all")
    git(project, "gc", "--quiet", "--prune=now")
    assert update(mlmw, "project", "--abort")["result"] == "undone"
    assert working_tree(project) == before


def test_foreign_refs(project: Path, mlmw: Mlmw) -> None:
    for name in ("mine", "deep/1"):
        git(project, "update-ref", f"refs/mlmw/before/{name}", "HEAD")
    assert update(mlmw, "project")["result"] == "changed"
    assert git(project, "rev-parse", "refs/mlmw/before/1") == git(project, "rev-parse", "HEAD")


@pytest.mark.parametrize("content", ["", "{", "[]", '{"phase": "done"}', "\0" * 20])
def test_damaged_journal(content: str, project: Path, mlmw: Mlmw) -> None:
    assert update(mlmw, "project")["result"] == "changed"
    (project / ".git" / "mlmw" / "journal.json").write_text(content)
    before = working_tree(project)
    for command in (["update"], ["update", "--abort"], ["update", "--continue"], ["status"]):
        result = mlmw(*command, "project")
        assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
        assert "refs/mlmw/before/N" in result.err
    assert working_tree(project) == before


@pytest.mark.skipif(os.name == "nt", reason="Windows allows no such name")
def test_folder_with_a_line_end(project: Path, here: Path, mlmw: Mlmw) -> None:
    project.rename(here / "two\nlines")
    before = working_tree(here / "two\nlines")
    assert update(mlmw, "two\nlines")["result"] == "changed"
    assert update(mlmw, "two\nlines", "--abort")["result"] == "undone"
    assert working_tree(here / "two\nlines") == before


@pytest.mark.skipif(os.name == "nt", reason="Windows allows no such path")
def test_deep_folder(template: Releases, here: Path, mlmw: Mlmw) -> None:
    """Its path is longer than a name may be."""
    git(here, "init", "--quiet")
    names = ["/".join([*("ä" * 20 for _ in range(5)), last]) for last in ("one", "two")]
    for name in names:
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        new(mlmw, template, name)
        shutil.rmtree(here / name / ".git", ignore_errors=True)
    commit(here)
    before = working_tree(here)
    template.publish("v0.2.0")
    for name in names:
        assert update(mlmw, name)["result"] == "changed"
    for name in names:
        assert update(mlmw, name, "--abort")["result"] == "undone"
    assert working_tree(here) == before


def owned_folder(linked: Path, outside: Path) -> None:
    (linked / ".mlmw").mkdir()
    (linked / ".mlmw" / "mine.txt").write_text("mine\n")


def owned_link(linked: Path, outside: Path) -> None:
    outside.mkdir()
    (outside / "mine.txt").write_text("mine\n")
    (linked / ".mlmw").symlink_to(outside)


@pytest.mark.parametrize("own", [owned_folder, owned_link])
def test_working_tree_on_another_file_system(
    own: Callable[[Path, Path], None], project: Path, here: Path, mlmw: Mlmw
) -> None:
    """Files cannot be renamed between the two."""
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == here.stat().st_dev:
        pytest.skip("there is only one file system to write to")
    with tempfile.TemporaryDirectory(dir=memory) as temporary:
        linked = Path(temporary) / "linked"
        git(project, "worktree", "add", "--quiet", "-b", "other", str(linked))
        own(linked, here / "outside")
        before = working_tree(linked)
        assert update(mlmw, str(linked))["result"] == "changed"
        assert (linked / ".mlmw" / "mine.txt").read_text() == "mine\n"
        append(linked / "Makefile", "# mine\n")
        assert update(mlmw, str(linked), "--abort")["result"] == "undone"
        assert working_tree(linked) == before
        assert (linked / ".mlmw" / "mine.txt").read_text() == "mine\n"
        assert not list(linked.glob(".mlmw-*"))
        assert "# mine" in git(linked, "show", "refs/mlmw/kept/1:Makefile")


@pytest.mark.parametrize("apart", [False, True])
def test_without_hard_links(
    apart: bool, project: Path, mlmw: Mlmw, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither in the repository nor, if that is on another file system, in the project."""
    before = working_tree(project)
    with monkeypatch.context() as patch:
        real = os.link

        def link(source: Path, place: Path) -> None:
            if not apart or ".git" not in Path(place).parts:
                raise OSError(errno.EPERM, "Operation not permitted")
            real(source, place)

        patch.setattr(os, "link", link)
        patch.setattr(workshop, "_apart", lambda project: apart)
        result = mlmw("update", "project")
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert "there are no hard links in" in result.err
    assert working_tree(project) == before
    assert git(project, "status", "--porcelain") == ""
    assert not list(project.glob(".mlmw-*"))
    assert update(mlmw, "project")["result"] == "changed"


def test_submodules(project: Path, here: Path, mlmw: Mlmw) -> None:
    (here / "library").mkdir()
    git(here / "library", "init", "--quiet")
    commit(here / "library")
    allow = ("-c", "protocol.file.allow=always")
    git(project, *allow, "submodule", "--quiet", "add", str(here / "library"), "library")
    commit(project)
    assert update(mlmw, "project")["result"] == "changed"
    git(here / "library", *allow, "submodule", "--quiet", "add", str(project), "inner")
    commit(here / "library")
    assert update(mlmw, "library/inner")["result"] == "changed"
    assert update(mlmw, "library/inner", "--abort")["result"] == "undone"


def test_moved_project(project: Path, here: Path, mlmw: Mlmw) -> None:
    append(project / "Makefile", "# mine\n")
    commit(project)
    before = working_tree(project)
    assert update(mlmw, "project")["result"] == "conflicts"
    project.rename(here / "moved")
    assert update(mlmw, "moved", "--abort")["result"] == "undone"
    assert working_tree(here / "moved") == before


def test_from_inside_a_hook(
    project: Path, here: Path, mlmw: Mlmw, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "elsewhere").mkdir()
    git(here / "elsewhere", "init", "--quiet")
    monkeypatch.setenv("GIT_DIR", str(here / "elsewhere" / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(here / "elsewhere" / "index"))
    assert update(mlmw, "project")["result"] == "changed"


# --- Several at once ------------------------------------------------------------------------------


def test_fleet(
    template: Releases, project: Path, conflicting: Path, here: Path, mlmw: Mlmw
) -> None:
    shutil.copytree(project, here / "dirty")
    append(here / "dirty" / "README.md", "x")
    new(mlmw, template, "newest")
    shutil.copytree(project, here / "behind")
    git(here / "behind", "reset", "--quiet", "--hard", "HEAD~")
    paths = ["project", "dirty", "newest", "behind", "missing"]
    assert [
        one["result"] for one in json.loads(mlmw("update", "--check", *paths, "--json").out)
    ] == [*("behind", "behind", "unchanged", "behind", "refused")]
    result = mlmw("update", *paths)
    assert (result.code, result.err) == (CONFLICTS, "")
    table = [line.split() for line in result.out.split("\n\n")[0].splitlines()]
    assert table == [
        ["PROJECT", "RESULT", "VERSION", "FILES", "CONFLICTS"],
        ["project", "conflicts", "v0.1.0", "->", "v0.2.0", *table[1][5:6], "2"],
        ["dirty", "refused", "-", "-", "-"],
        ["newest", "up", "to", "date", "v0.2.0", "-", "-"],
        ["behind", "changed", "v0.1.0", "->", "v0.2.0", *table[4][5:6], "-"],
        ["missing", "refused", "-", "-", "-"],
    ]
    assert "project: conflict in Makefile (contents)\n" in result.out


def test_exit_code_of_a_fleet(template: Releases, project: Path, here: Path, mlmw: Mlmw) -> None:
    """Refused, but nothing is changed: 2. Refused beside a change: 1."""
    shutil.copytree(project, here / "dirty")
    append(here / "dirty" / "README.md", "x")
    new(mlmw, template, "newest")
    assert mlmw("update", "dirty", "newest").code == 2
    assert mlmw("update", "--preview", "dirty", "project").code == 2
    assert mlmw("update", "--check", "dirty", "newest").code == 1
    assert mlmw("update", "dirty", "project").code == 1
    assert mlmw("update", "project", "newest").code == 0
    (here / "dirty" / ".git" / "index").write_bytes(b"broken")
    assert mlmw("update", "dirty", "newest").code == 2


def test_nothing_to_add_although_there_is_a_newer_release(project: Path, mlmw: Mlmw) -> None:
    assert mlmw("remove", "tabular", "--project", "project").out.splitlines() == [
        "project: nothing to remove (v0.1.0)"
    ]

"""A disk that is full, a folder that cannot be written: one line, and the project as it was."""

import errno
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import releases
from conftest import Mlmw, snapshot
from releases import Releases, append, commit, git, working_tree

from mlmw import update
from mlmw.project import Project

FIRST = {"a.txt": b"first\n" * 5, "gone.txt": b"first\n", ".gitattributes": b"* text=auto\n"}
SECOND = {"a.txt": b"first\n" * 5 + b"second\n", "b/new.txt": b"second\n"}
SECOND[".gitattributes"] = FIRST[".gitattributes"]


@pytest.fixture
def project(here: Path, mlmw: Mlmw, tmp_path: Path) -> Path:
    """A project that is behind, with an edit."""
    template = Releases(tmp_path / "small")
    template.add("v1.0.0", releases.small(FIRST))
    template.publish("v1.0.0")
    assert mlmw("new", "project", "--template", str(template.place), "--defaults").code == 0
    template.add("v2.0.0", releases.small(SECOND))
    template.publish("v2.0.0")
    append(here / "project" / ".gitattributes", "# mine\n")
    commit(here / "project")
    return here / "project"


def state(project: Path) -> tuple[object, str]:
    return working_tree(project), git(project, "status", "--porcelain=v2", "--untracked-files=all")


class Disk:
    """Is full from the n-th write on: for good, or for that one write."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, number: int, for_good: bool) -> None:
        self.number, self.for_good, self.writes = number, for_good, 0
        reading = {"rev-parse", "status", "ls-tree", "cat-file", "ls-files", "for-each-ref"}
        real_git, real_write = Project.git, Path.write_text

        def run_git(
            project: Project,
            *arguments: str,
            data: bytes | None = None,
            index: Path | None = None,
            work_tree: Path | None = None,
        ) -> bytes:
            if arguments[0] not in reading and self.full():
                message = b"fatal: No space left on device\nmore\n"
                raise subprocess.CalledProcessError(128, "git", stderr=message)
            return real_git(project, *arguments, data=data, index=index, work_tree=work_tree)

        real_mkdir = os.mkdir

        def checked(function: Callable[..., None], place: int) -> Callable[..., None]:
            def write(*paths: Path, **options: int) -> None:
                if function is not real_mkdir or not Path(paths[0]).exists():
                    self.check(Path(paths[place]))
                function(*paths, **options)

            return write

        def write_text(path: Path, text: str, **options: str) -> int:
            self.check(path)
            return real_write(path, text, **options)  # type: ignore[arg-type]

        monkeypatch.setattr(Project, "git", run_git)
        monkeypatch.setattr(os, "link", checked(os.link, 1))
        monkeypatch.setattr(os, "rename", checked(os.rename, 1))
        monkeypatch.setattr(os, "mkdir", checked(real_mkdir, 0))
        monkeypatch.setattr("mlmw.journal.Path.write_text", write_text)

    def full(self) -> bool:
        self.writes += 1
        return self.writes >= self.number if self.for_good else self.writes == self.number

    def check(self, path: Path) -> None:
        # What is rendered and merged in temporary folders is another disk.
        if "project" in path.parts and "mlmw-" not in str(path) and self.full():
            raise OSError(errno.ENOSPC, "No space left on device", str(path))


def count_writes(project: Path, mlmw: Mlmw, monkeypatch: pytest.MonkeyPatch) -> int:
    for _ in range(2):  # the first time there is one more ref to write
        with monkeypatch.context() as patch:
            disk = Disk(patch, 0, for_good=False)
            assert mlmw("update", "project").code == 0
        assert mlmw("update", "project", "--abort").code == 0
    return disk.writes


def test_disk_that_is_full_for_a_moment(
    project: Path, mlmw: Mlmw, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = state(project)
    writes = count_writes(project, mlmw, monkeypatch)
    assert writes > 20
    for number in range(1, writes + 1):
        with monkeypatch.context() as patch:
            Disk(patch, number, for_good=False)
            result = mlmw("update", "project")
        assert (result.code, result.out, result.err.count("\n")) == (2, "", 1), number
        assert "No space left on device); nothing was changed\n" in result.err
        assert state(project) == before
    assert mlmw("update", "project").code == 0


def test_disk_that_stays_full(project: Path, mlmw: Mlmw, monkeypatch: pytest.MonkeyPatch) -> None:
    before = state(project)
    writes = count_writes(project, mlmw, monkeypatch)
    codes = set()
    for number in range(1, writes + 1):
        with monkeypatch.context() as patch:
            Disk(patch, number, for_good=True)
            result = mlmw("update", "project")
        assert (result.out, result.err.count("\n")) == ("", 1), number
        codes.add(result.code)
        if result.code == 1:
            assert "make room or check permissions, then: mlmw update --abort\n" in result.err
            assert mlmw("update", "project", "--abort").code == 0
        assert state(project) == before
    assert codes == {1, 2}


@pytest.mark.parametrize("place", ["", ".git", "b"])
def test_folder_that_cannot_be_written(
    place: str, project: Path, mlmw: Mlmw, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever runs the tests as root may write anywhere, so the answer is made up."""
    (project / "b").mkdir()
    before = snapshot(project)
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != project / place
                        and access(path, mode))  # fmt: skip
    result = mlmw("update", "project")
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert f"you may not write into {str(project / place)!r}; change its permissions" in result.err
    assert snapshot(project) == before


def test_interrupted_at_the_keyboard(
    project: Path, mlmw: Mlmw, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = state(project)
    with monkeypatch.context() as patch:
        real, calls = os.link, []

        def link(source: Path, target: Path) -> None:
            calls.append(target)
            if len(calls) == 1:
                raise KeyboardInterrupt
            real(source, target)

        patch.setattr(os, "link", link)
        result = mlmw("update", "project")
    assert (result.code, result.err) == (130, "error: interrupted: mlmw status tells how it is\n")
    assert state(project) == before


def test_interrupted_while_files_are_replaced(
    project: Path, mlmw: Mlmw, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That moment is waited out: it is complete, and says so."""
    with monkeypatch.context() as patch:
        real, done = os.rename, []

        def rename(source: Path, target: Path) -> None:
            real(source, target)
            if project in Path(source).parents:
                os.kill(os.getpid(), signal.SIGINT)
                done.append(source)

        patch.setattr(os, "rename", rename)
        result = mlmw("update", "project")
    assert (result.code, result.err) == (0, "")
    assert len(done) > 2
    assert mlmw("update", "project").out.startswith("project: up to date")


def test_interrupted_after_some_projects(
    project: Path, mlmw: Mlmw, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was done is told."""
    real = update.apply

    def apply(given: str, wanted: update.Wanted) -> update.Outcome:
        if given != "project":
            raise KeyboardInterrupt
        return real(given, wanted)

    monkeypatch.setattr(update, "apply", apply)
    result = mlmw("update", "project", "another")
    assert result.code == 130
    assert result.out.splitlines()[1].split()[:2] == ["project", "changed"]
    assert result.err == "error: interrupted: mlmw status tells how it is\n"

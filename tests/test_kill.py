"""`kill -9` at every point where a file is written or a program started.

Afterwards the project is as it was, or complete, or one command makes it so.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import copier  # noqa: F401  imported once, before the forks
import killing
import pytest
import releases
from releases import Releases, append, commit, git, working_tree

from mlmw.journal import PUBLISHING, Journal
from mlmw.project import Project, find

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked to be killed")
FIRST = {
    **{f"file {number}.txt": f"first {number}\n".encode() * 5 for number in range(4)},
    "gone.txt": b"will be deleted\n" * 5,
    ".gitattributes": b"* text=auto eol=lf\n",
}
SECOND = {
    **{name: content + b"second\n" for name, content in FIRST.items() if name[:4] == "file"},
    "new/größe.txt": b"new\n",
    "taken.txt": b"of the template\n",
    ".gitattributes": b"* text=auto eol=lf\n",
}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Releases:
    template = Releases(tmp_path_factory.mktemp("small"))
    template.add("v1.0.0", releases.small(FIRST))
    template.add("v2.0.0", releases.small(SECOND))
    template.publish("v1.0.0")
    return template


def state(project: Path) -> tuple[object, str]:
    """The files, and what git thinks of them."""
    return working_tree(project), git(project, "status", "--porcelain=v2", "--untracked-files=all")


def points(run: Callable[[int], int | None]) -> int:
    """Call `run` for every point until one is not reached; returns how many there were."""
    point = 0
    while run(point + 1) is None:
        point += 1
    return point


def test_new(source: Releases, tmp_path: Path) -> None:
    """The project is there as a whole, or not at all; and the same command works again."""
    options = ["--template", str(source.place), "--defaults"]
    assert killing.run(["new", "whole", *options], tmp_path, 0)[0] == 0
    whole = working_tree(tmp_path / "whole")

    def run(point: int) -> int | None:
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        (folder / "a").mkdir()
        command = ["new", "a/b/whole", *options]
        code, _ = killing.run(command, folder, point)
        project = folder / "a" / "b" / "whole"
        if not project.exists():
            assert killing.run(command, folder, 0)[0] == 0
        assert working_tree(project) == whole
        assert git(project, "status", "--porcelain") == ""
        shutil.rmtree(folder)
        return code

    assert points(run) > 20


@pytest.fixture
def project(source: Releases, tmp_path: Path) -> Path:
    """A project with edits, one of which conflicts, and with a file in the new version's way."""
    source.publish("v1.0.0")
    git(source.place, "tag", "--delete", *git(source.place, "tag", "--list", "v2*").split())
    command = ["new", "project", "--template", str(source.place), "--defaults"]
    assert killing.run(command, tmp_path, 0)[0] == 0
    project = tmp_path / "project"
    append(project / "file 0.txt", "mine\n")
    (project / "file 1.txt").write_bytes(b"mine first\n" + FIRST["file 1.txt"])
    (project / "file 2.txt").rename(project / "renamed.txt")
    (project / "own.txt").write_text("mine\n")
    commit(project)
    (project / "taken.txt").write_text("mine, and not tracked\n")
    source.publish("v2.0.0")
    return project


def copied(project: Path, tmp_path: Path) -> Path:
    folder = Path(tempfile.mkdtemp(dir=tmp_path)) / "project"
    shutil.copytree(project, folder, symlinks=True)
    subprocess.run(["git", "update-index", "-q", "--refresh"], cwd=folder, check=False)
    return folder


def run(folder: Path, *arguments: str) -> int | None:
    return killing.run(arguments, folder, 0)[0]


@pytest.mark.parametrize("conflicts", [False, True], ids=["clean", "conflicts"])
def test_update(
    conflicts: bool, project: Path, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    if not conflicts:
        (project / "taken.txt").unlink()
        git(project, "checkout", "HEAD~", "--", "file 0.txt")
        commit(project)
    done = 3 if conflicts else 0
    every = pytestconfig.getoption("every_point")
    strides = (1, 1) if every else (12, 1) if conflicts else (40, 3)
    check_every_point(project, tmp_path, ["update"], done, strides)


def test_add(prepared: Releases, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    """A recipe of the real template, which is many files."""
    template = prepared.copy(tmp_path)
    template.publish("v0.1.0")
    command = ["new", "project", "--template", str(template.place), "--defaults"]
    assert killing.run(command, tmp_path, 0)[0] == 0
    strides = (1, 1) if pytestconfig.getoption("every_point") else (60, 6)
    check_every_point(tmp_path / "project", tmp_path, ["add", "tabular"], 0, strides)


def test_abort(project: Path, tmp_path: Path) -> None:
    before = state(project)
    assert run(project, "update") == 3
    (project / "renamed.txt").write_text("edited since\n")

    def one(point: int) -> int | None:
        folder = copied(project, tmp_path)
        code, _ = killing.run(["update", "--abort"], folder, point)
        if Journal.read(find(str(folder))) is not None:
            assert run(folder, "update", "--abort") == 0
        assert state(folder) == before
        assert git(folder, "show", "refs/mlmw/before-abort:renamed.txt") == "edited since"
        assert run(folder, "update") == 3
        shutil.rmtree(folder.parent)
        return code

    assert points(one) > 10


def test_continue(project: Path, tmp_path: Path) -> None:
    """What was interrupted can be interrupted again."""
    before = state(project)
    half = copied(project, tmp_path)
    _, events = killing.run(["update"], half, 0)
    writing = [number for number, event in enumerate(events, 1) if "checkout-index" in event]
    whole = state(half)
    half = copied(project, tmp_path)
    assert killing.run(["update"], half, writing[-2])[0] is None
    assert Journal.read(find(str(half))) is not None

    def one(point: int) -> int | None:
        folder = copied(half, tmp_path)
        code, _ = killing.run(["update", "--continue"], folder, point)
        assert run(folder, "update", "--continue") == 3
        assert state(folder) == whole
        assert run(folder, "update", "--abort") == 0
        assert state(folder) == before
        shutil.rmtree(folder.parent)
        return code

    assert points(one) > 5


def check_every_point(
    project: Path, tmp_path: Path, command: list[str], done: int, strides: tuple[int, int]
) -> None:
    """Kill at the points before the first write into the project, and after it, with a stride."""
    before = state(project)
    complete = copied(project, tmp_path)
    code, events = killing.run(command, complete, 0)
    assert code == done
    after = state(complete)
    first = next(number for number, event in enumerate(events, 1) if "unpack-objects" in event)
    interrupted = 0
    for point in [*range(1, first, strides[0]), *range(first, len(events) + 1, strides[1])]:
        folder = copied(project, tmp_path)
        assert killing.run(command, folder, point)[0] is None
        journal = Journal.read(find(str(folder)))
        if journal is None:
            assert state(folder) == before
        elif journal.phase == PUBLISHING:
            other = copied(folder, tmp_path)
            assert run(other, "update", "--continue") == done
            assert state(other) == after
            shutil.rmtree(other.parent)
            if not interrupted:  # it says so, and which commands help
                assert run(folder, *command) == 2
            assert run(folder, "update", "--abort") == 0
            assert state(folder) == before
            interrupted += 1
        else:
            assert state(folder) == after
        if point % 10 == 0 and state(folder) == before:
            assert run(folder, *command) == done
            assert state(folder) == after
        shutil.rmtree(folder.parent)
    assert first > 20
    assert interrupted > 5


@pytest.mark.parametrize("kept", range(8))
def test_git_killed_while_it_writes_files(
    kept: int, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Git itself is cut short: some files are written, one of them not to its end."""
    before = state(project)
    complete = copied(project, tmp_path)
    assert run(complete, "update") == 3
    after = state(complete)

    real = Project.git

    def torn(
        self: Project, *arguments: str, data: bytes | None = None, index: Path | None = None
    ) -> bytes:
        if arguments[0] != "checkout-index":
            return real(self, *arguments, data=data, index=index)
        assert data is not None
        assert index is not None
        paths = data.split(b"\0")[:-1][: kept // 2 + 1]
        real(self, *arguments, data=b"".join(path + b"\0" for path in paths), index=index)
        if kept % 2:
            last = self.top / paths[-1].decode()
            last.write_bytes(last.read_bytes()[:-3])
        index.with_name(f"{index.name}.lock").write_bytes(b"half an index")
        os._exit(9)

    monkeypatch.setattr(Project, "git", torn)
    assert run(project, "update") == 9
    monkeypatch.undo()
    other = copied(project, tmp_path)
    assert run(other, "update", "--continue") == 3
    assert state(other) == after
    assert run(project, "update", "--abort") == 0
    assert state(project) == before
    subprocess.run(["git", "fsck", "--no-progress"], cwd=project, check=True, capture_output=True)

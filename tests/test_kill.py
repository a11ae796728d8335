"""`kill -9` at every point where a file is written or a program started.

Afterwards the project is as it was, or complete, or one command makes it so.
"""

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import killing
import pytest
import releases
from releases import Releases, append, commit, copy_project, git, pack, working_tree

from mlmw import cli
from mlmw.journal import PUBLISHING, Journal
from mlmw.project import Project

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


def test_new(source: Releases, tmp_path: Path) -> None:
    """The project is there as a whole, or not at all; and the same command works again."""
    options = ["--template", str(source.place), "--defaults"]
    assert run(tmp_path, "new", "whole", *options) == 0
    whole = working_tree(tmp_path / "whole")
    command = ["new", "a/b/whole", *options]
    (tmp_path / "place" / "a").mkdir(parents=True)
    code, kills = record(command, tmp_path / "place", tmp_path)
    assert code == 0
    for killed in kills:
        project = killed.folder / "a" / "b" / "whole"
        if not project.exists():
            assert run(killed.folder, *command) == 0
        assert working_tree(project) == whole
        assert git(project, "status", "--porcelain") == ""
    assert kills[-1].points[-1] > 20


@pytest.fixture
def project(source: Releases, tmp_path: Path) -> Path:
    """A project with edits, one of which conflicts, and with a file in the new version's way."""
    source.rewind("v1.0.0")
    command = ["new", "project", "--template", str(source.place), "--defaults"]
    assert killing.run(command, tmp_path) == 0
    project = tmp_path / "project"
    append(project / "file 0.txt", "mine\n")
    (project / "file 1.txt").write_bytes(b"mine first\n" + FIRST["file 1.txt"])
    (project / "file 2.txt").rename(project / "renamed.txt")
    (project / "own.txt").write_text("mine\n")
    commit(project)
    (project / "taken.txt").write_text("mine, and not tracked\n")
    source.publish("v2.0.0")
    return pack(project)


def copied(project: Path, tmp_path: Path) -> Path:
    return copy_project(project, Path(tempfile.mkdtemp(dir=tmp_path)) / "project")


def run(folder: Path, *arguments: str) -> int:
    """Run a command line to its end; this process does, which is cheaper than another one."""
    with contextlib.chdir(folder):
        return cli.run(arguments)


def record(
    command: Sequence[str], folder: Path, tmp_path: Path, stride: int = 1
) -> tuple[int | None, list[killing.Killed]]:
    """What kills leave; at some points this is held against what a real one leaves."""
    code, kills = killing.record(command, folder, Path(tempfile.mkdtemp(dir=tmp_path)), stride)
    for killed in kills[1 : -1 : len(kills) // 3]:
        other = Path(tempfile.mkdtemp(dir=tmp_path)) / folder.name
        shutil.copytree(kills[0].folder, other, symlinks=True)
        assert killing.run(command, other, killed.points[0]) is None
        assert names(other) == names(killed.folder)
        shutil.rmtree(other.parent)
    return code, kills


def names(folder: Path) -> list[str]:
    """Every path, but for the workshop and for what differs from run to run."""
    paths = [path.relative_to(folder).as_posix() for path in folder.rglob("*")]
    paths = [path for path in paths if not path.startswith((".git/objects/", ".git/mlmw/work/"))]
    return sorted(re.sub(r"mlmw-\w{8}", "mlmw-random", path) for path in paths)


def journal(folder: Path) -> Journal | None:
    return Journal.read(Project(str(folder), folder, folder, folder / ".git", prefix=""))


@pytest.mark.parametrize("conflicts", [False, True], ids=["clean", "conflicts"])
def test_update(
    conflicts: bool, project: Path, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    if not conflicts:
        (project / "taken.txt").unlink()
        git(project, "checkout", "HEAD~", "--", "file 0.txt")
        commit(project)
    every = conflicts or pytestconfig.getoption("every_point")
    check_every_point(project, tmp_path, ["update"], 3 if conflicts else 0, 1 if every else 3)


def test_add(prepared: Releases, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    """A recipe of the real template, which is many files."""
    template = prepared.copy(tmp_path)
    template.publish("v0.1.0")
    command = ["new", "project", "--template", str(template.place), "--defaults"]
    assert run(tmp_path, *command) == 0
    stride = 1 if pytestconfig.getoption("every_point") else 12
    check_every_point(pack(tmp_path / "project"), tmp_path, ["add", "tabular"], 0, stride)


def test_abort(project: Path, tmp_path: Path) -> None:
    before = state(project)
    assert run(project, "update") == 3
    (project / "renamed.txt").write_text("edited since\n")
    code, kills = record(["update", "--abort"], project, tmp_path)
    assert code == 0
    for number, killed in enumerate(kills):
        folder = killed.folder
        if journal(folder) is not None:
            assert run(folder, "update", "--abort") == 0
        assert state(folder) == before
        assert git(folder, "show", "refs/mlmw/kept/1:renamed.txt") == "edited since"
        if number % 10 == 0:
            assert run(folder, "update") == 3
    assert len(kills) > 10


def test_continue(project: Path, tmp_path: Path) -> None:
    """What was interrupted can be interrupted again."""
    before = state(project)
    half, whole = copied(project, tmp_path), copied(project, tmp_path)
    assert run(whole, "update") == 3
    _, kills = killing.record(["update"], half, Path(tempfile.mkdtemp(dir=tmp_path)))
    under_way = [one.folder for one in kills if (found := journal(one.folder))
                 and found.phase == PUBLISHING]  # fmt: skip
    code, kills = record(["update", "--continue"], under_way[len(under_way) // 2], tmp_path)
    assert code == 3
    for killed in kills:
        assert run(killed.folder, "update", "--continue") == 3
        assert state(killed.folder) == state(whole)
        assert run(killed.folder, "update", "--abort") == 0
        assert state(killed.folder) == before
    assert len(kills) > 5


def check_every_point(
    project: Path, tmp_path: Path, command: list[str], done: int, stride: int
) -> None:
    """See what a kill leaves at every point, or at a share of them."""
    before = state(project)
    code, kills = record(command, copied(project, tmp_path), tmp_path, stride)
    assert code == done
    after = state(kills[-1].folder)
    interrupted = []
    for killed in kills:
        found = journal(killed.folder)
        if found is None:
            assert state(killed.folder) == before
            assert run(killed.folder, *command) == done
            assert state(killed.folder) == after
        elif found.phase == PUBLISHING:
            interrupted.append(killed.folder)
        else:
            assert state(killed.folder) == after
    for number, folder in enumerate(interrupted):
        other = copied(folder, tmp_path)
        assert run(other, "update", "--continue") == done
        assert state(other) == after
        if not number:  # it says so, and which commands help
            assert run(folder, *command) == 2
        assert run(folder, "update", "--abort") == 0
        assert state(folder) == before
        for place in (other.parent, folder):
            shutil.rmtree(place)
    assert kills[-1].points[-1] > 20
    assert len(interrupted) > 5
    print(f"\n{kills[-1].points[-1]} points, {len(kills)} states, {len(interrupted)} under way")


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
        self: Project,
        *arguments: str,
        data: bytes | None = None,
        index: Path | None = None,
        work_tree: Path | None = None,
    ) -> bytes:
        if arguments[0] != "checkout-index":
            return real(self, *arguments, data=data, index=index, work_tree=work_tree)
        assert data is not None
        assert index is not None
        assert work_tree is not None
        paths = data.split(b"\0")[:-1][: kept // 2 + 1]
        part = b"".join(path + b"\0" for path in paths)
        real(self, *arguments, data=part, index=index, work_tree=work_tree)
        if kept % 2:
            last = work_tree / paths[-1].decode()
            last.write_bytes(last.read_bytes()[:-3])
        index.with_name(f"{index.name}.lock").write_bytes(b"half an index")
        os._exit(9)

    monkeypatch.setattr(Project, "git", torn)
    assert killing.run(["update"], project) == 9
    monkeypatch.undo()
    other = copied(project, tmp_path)
    assert run(other, "update", "--continue") == 3
    assert state(other) == after
    assert run(project, "update", "--abort") == 0
    assert state(project) == before
    subprocess.run(["git", "fsck", "--no-progress"], cwd=project, check=True, capture_output=True)

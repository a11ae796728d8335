"""What an owner saves during an update, or before it is completed or undone, is never lost."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import killing
import pytest
import releases
from conftest import Mlmw
from releases import Releases, commit, copy_project, git, pack, working_tree

from mlmw import publish, workshop
from mlmw.answers import ANSWERS
from mlmw.errors import Refusal
from mlmw.journal import PUBLISHING, Journal, alone
from mlmw.merge import Stage
from mlmw.project import Project, find
from mlmw.replace import Site

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="updates run in forked processes")
TOKEN = "saved meanwhile"
FIRST = {f"{name}.txt": f"{name}\n".encode() * 5 for name in ("a", "deep/b", "gone", "z")}
SECOND = {name: content + b"second\n" for name, content in FIRST.items() if name != "gone.txt"}
SECOND["new.txt"] = b"new\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project that is behind, with an edit."""
    template = Releases(tmp_path / "small")
    template.add("v1.0.0", releases.small(FIRST))
    template.publish("v1.0.0")
    command = ["new", "project", "--template", str(template.place), "--defaults"]
    assert killing.run(command, tmp_path) == 0
    template.add("v2.0.0", releases.small(SECOND))
    template.publish("v2.0.0")
    (tmp_path / "project" / "z.txt").write_bytes(b"mine\n" + FIRST["z.txt"])
    commit(tmp_path / "project")
    return pack(tmp_path / "project")


def in_place(project: Path, name: str) -> None:
    with open(project / name, "a") as file:
        file.write(TOKEN)


def by_rename(project: Path, name: str) -> None:
    (project / "save").write_text(TOKEN)
    (project / "save").replace(project / name)


def as_folder(project: Path, name: str) -> None:
    (project / name).unlink(missing_ok=True)
    (project / name).mkdir()
    (project / name / "inside.txt").write_text(TOKEN)


def as_link(project: Path, name: str) -> None:
    (project / name).unlink(missing_ok=True)
    (project / name).symlink_to(TOKEN)


def staged_only(project: Path, name: str) -> None:
    content = (project / name).read_bytes() if (project / name).exists() else None
    (project / name).write_text(TOKEN)
    oid = git(project, "hash-object", "-w", name)
    git(project, "update-index", "--add", "--cacheinfo", f"100644,{oid},{name}")
    if content is None:
        (project / name).unlink()
    else:
        (project / name).write_bytes(content)


EDITS: list[Callable[[Path, str], None]] = [in_place, by_rename, as_folder, as_link]


def everything(project: Path) -> str:
    """The content of all files and links, of the index, and of all that is kept."""
    texts = [str(content) for _, content in working_tree(project).values()]
    for ref in git(project, "for-each-ref", "--format=%(refname)", "refs/mlmw/kept").split():
        for parent in (ref, f"{ref}^2"):
            if parent == ref or len(git(project, "rev-list", "--parents", "-1", ref).split()) > 2:
                names = git(project, "ls-tree", "-r", "--name-only", parent).splitlines()
                texts += [git(project, "show", f"{parent}:{name}") for name in names]
    listing = git(project, "ls-files", "--stage").splitlines()
    return "\n".join([*texts, *(git(project, "show", line.split()[1]) for line in listing)])


def copied(project: Path, tmp_path: Path) -> Path:
    return copy_project(project, Path(tempfile.mkdtemp(dir=tmp_path)) / "project")


@pytest.mark.parametrize("name", ["a.txt", "deep/b.txt", "gone.txt", "new.txt"])
def test_saved_while_it_runs(
    name: str, project: Path, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    """At whichever point, and however an editor saves, it is there afterwards."""
    _, kills = killing.record(["update"], copied(project, tmp_path), tmp_path / "kills")
    last = kills[-1].points[0]
    first = next(kill.points[0] for kill in kills if (kill.folder / ".git" / "mlmw").exists())
    codes = set()
    stride = 1 if pytestconfig.getoption("every_point") else 13
    for point in [1, *range(first - 40, last, stride)]:
        edit = EDITS[point // stride % len(EDITS)]
        folder = copied(project, tmp_path)

        def save(number: int, point: int = point, folder: Path = folder, edit=edit) -> None:  # type: ignore[no-untyped-def]
            if number == point:
                edit(folder, name)

        code = killing.run(["update"], folder, at=save)
        codes.add(code)
        assert code in (0, 2, 3), (point, edit)
        assert TOKEN in everything(folder), (point, edit)
        assert not (folder / ".git" / "index.lock").exists()
        if code == 2:  # then nothing else was changed
            rest = {key: value for key, value in working_tree(folder).items() if name not in key}
            assert rest == {
                key: value for key, value in working_tree(project).items() if name not in key
            }, (point, edit)
        shutil.rmtree(folder.parent)
    assert codes >= {2}


@pytest.mark.parametrize("edit", [*EDITS, staged_only])
def test_saved_after_a_kill(
    edit: Callable[[Path, str], None], project: Path, tmp_path: Path, mlmw: Mlmw
) -> None:
    """`--continue` refuses to go over it and names it; `--abort` keeps it."""
    before = working_tree(project)
    _, kills = killing.record(["update"], copied(project, tmp_path), tmp_path / "kills")
    under_way = [
        killed.folder
        for killed in kills
        if (journal := Journal.read(find(str(killed.folder)))) and journal.phase == PUBLISHING
    ]
    for folder in under_way[:: len(under_way) // 5]:
        if edit is staged_only:
            (folder / ".git" / "index.lock").unlink(missing_ok=True)
        edit(folder, "a.txt")
        result = mlmw("update", str(folder), "--continue")
        assert (result.code, result.err.count("\n")) == (2, 1)
        assert "'a.txt' changed since its update was interrupted; mlmw update --abort" in result.err
        assert TOKEN in everything(folder)
        result = mlmw("update", str(folder), "--abort")
        assert (result.code, result.err) == (0, "")
        assert TOKEN in everything(folder)
        after = working_tree(folder)
        after.pop("a.txt.kept/inside.txt", None)
        assert after == before
        assert mlmw("update", str(folder)).code == 0


def test_killed_with_a_workshop_in_the_project(
    project: Path, tmp_path: Path, mlmw: Mlmw, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with a repository on another file system: nothing of it stays behind."""
    monkeypatch.setattr(workshop, "_apart", lambda project: True)
    before = working_tree(project)
    _, kills = killing.record(["update"], copied(project, tmp_path), tmp_path / "kills")
    places = [killed.folder for killed in kills if list(killed.folder.glob(".mlmw-*"))]
    assert len(places) > 5
    for number, folder in enumerate(places[:: len(places) // 5]):
        way = ("--abort", "--continue")[number % 2]
        assert mlmw("update", str(folder), way).code == 0
        assert not list(folder.glob(".mlmw-*"))
        if way == "--abort":
            assert working_tree(folder) == before


def test_committed_after_a_kill(project: Path, tmp_path: Path, mlmw: Mlmw) -> None:
    """The way back is told, works, and keeps what was committed."""
    before = working_tree(project)
    _, kills = killing.record(["update"], copied(project, tmp_path), tmp_path / "kills")
    locked = [killed.folder for killed in kills if (killed.folder / ".git/index.lock").exists()]
    for folder in locked[:: len(locked) // 4]:
        (folder / ".git" / "index.lock").unlink()
        (folder / "a.txt").write_text(TOKEN)
        commit(folder)
        for way in ("--continue", "--abort"):
            result = mlmw("update", str(folder), way)
            assert (result.code, result.err.count("\n")) == (2, 1)
            head = git(folder, "rev-parse", "HEAD~")[:10]
            assert f"git reset --soft {head}, then mlmw update --abort" in result.err
        git(folder, "reset", "--quiet", "--soft", head)
        assert mlmw("update", str(folder), "--abort").code == 0
        assert TOKEN in everything(folder)
        assert working_tree(folder) == before
        assert mlmw("update", str(folder)).code == 0


def outside_link(project: Path, name: str) -> None:
    """A folder on the way becomes a link out of the project."""
    outside = project.parent / "outside"
    shutil.move(project / "deep", outside)
    (outside / "b.txt").write_text(TOKEN)
    (project / "deep").symlink_to(outside)


@pytest.mark.parametrize("edit", [in_place, by_rename, as_folder, as_link, outside_link])
@pytest.mark.parametrize("name", ["deep/b.txt", "new.txt"])
def test_abort_keeps_what_was_done_since(
    name: str, edit: Callable[[Path, str], None], project: Path, tmp_path: Path, mlmw: Mlmw
) -> None:
    before = working_tree(project)
    assert mlmw("update", str(project)).code == 0
    edit(project, name)
    result = mlmw("update", str(project), "--abort")
    assert (result.code, result.err) == (0, "")
    after = working_tree(project)
    if edit is outside_link:
        assert (tmp_path / "outside" / "b.txt").read_text() == TOKEN
        assert git(project, "show", "refs/mlmw/kept/1:deep") == str(tmp_path / "outside")
    elif edit is not as_folder:
        assert TOKEN in git(project, "show", f"refs/mlmw/kept/1:{name}")
        assert "kept in refs/mlmw/kept/1" in result.out
    elif name == "new.txt":  # in nobody's way
        assert after.pop("new.txt/inside.txt")[1] == TOKEN.encode()
    else:
        assert after.pop(f"{name}.kept/inside.txt")[1] == TOKEN.encode()
        assert f"{name}.kept" in result.out
    assert after == before


def test_abort_keeps_what_is_only_staged(project: Path, mlmw: Mlmw) -> None:
    assert mlmw("update", str(project)).code == 0
    staged_only(project, "a.txt")
    result = mlmw("update", str(project), "--abort")
    assert "kept in refs/mlmw/kept/1" in result.out
    assert git(project, "show", "refs/mlmw/kept/1^2:a.txt") == TOKEN
    assert git(project, "status", "--porcelain") == ""


@pytest.mark.parametrize(("name", "staged"), [("a.txt", "a.txt/x"), ("deep/b.txt", "deep")])
def test_abort_keeps_what_is_staged_where_a_path_changes_type(
    name: str, staged: str, project: Path, mlmw: Mlmw
) -> None:
    before = working_tree(project)
    assert mlmw("update", str(project)).code == 0
    (project / name).unlink()
    place = project / staged
    if place.is_dir():
        place.rmdir()
    place.parent.mkdir(exist_ok=True)
    place.write_text(TOKEN)
    git(project, "add", "--all", name.partition("/")[0])
    place.write_text("later\n")
    result = mlmw("update", str(project), "--abort")
    assert "kept in refs/mlmw/kept/1" in result.out
    assert git(project, "show", f"refs/mlmw/kept/1^2:{staged}") == TOKEN
    assert git(project, "status", "--porcelain", "--untracked-files=no") == ""
    after = working_tree(project)
    after.pop("a.txt.kept/x", None)
    assert after == before


def staged_below(project: Path, name: str) -> None:
    """The file becomes a folder, and its content stays in the index only."""
    as_folder(project, name)
    git(project, "add", "--all", name)
    (project / name / "inside.txt").write_text("later")


def test_staged_below_while_it_runs(
    project: Path, mlmw: Mlmw, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = publish.begin

    def begin(*arguments: Any) -> list[str]:
        staged_below(project, "a.txt")
        return real(*arguments)

    monkeypatch.setattr(publish, "begin", begin)
    assert mlmw("update", str(project)).code == 2
    assert git(project, "show", ":a.txt/inside.txt") == TOKEN


def test_nothing_replaces_what_is_kept(project: Path, mlmw: Mlmw) -> None:
    for number in (1, 2, 3):
        assert mlmw("update", str(project)).code == 0
        (project / "a.txt").write_text(f"work {number}\n")
        assert mlmw("update", str(project), "--abort").code == 0
    for number in (1, 2, 3):
        assert git(project, "show", f"refs/mlmw/kept/{number}:a.txt") == f"work {number}"


def test_mode_changed_while_it_runs(
    project: Path, mlmw: Mlmw, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = working_tree(project)
    real = publish.begin

    def begin(*arguments: Any) -> list[str]:
        (project / "a.txt").chmod(0o755)
        return real(*arguments)

    monkeypatch.setattr(publish, "begin", begin)
    result = mlmw("update", str(project))
    assert (result.code, result.out) == (2, "")
    assert result.err.endswith(
        "'a.txt' changed while mlmw was at work; nothing else was changed; run it again\n"
    )
    assert working_tree(project) == before | {"a.txt": (0o100, before["a.txt"][1])}


def test_written_into_the_old_file_after_the_move(
    project: Path, mlmw: Mlmw, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An editor that has the file open still writes into it: that is kept, and told."""
    real = publish.keep

    def keep(found: Project, journal: Journal, site: Site, also: list[Stage]) -> list[str]:
        for path, place in site.moved_aside():
            if path == "a.txt":
                place.write_text(TOKEN)
        return real(found, journal, site, also)

    monkeypatch.setattr(publish, "keep", keep)
    result = mlmw("update", str(project))
    assert (result.code, result.err) == (0, "")
    assert "what was saved meanwhile is kept in refs/mlmw/kept/1" in result.out
    assert git(project, "show", "refs/mlmw/kept/1:a.txt") == TOKEN


def test_two_at_once(project: Path, mlmw: Mlmw) -> None:
    known = find(str(project))
    refused = f"error: project {str(project)!r}: another mlmw is at work in its repository; "
    assert mlmw("update", str(project), "--to", "v2.0.0").code == 0
    last = Journal.read(known)
    for command in (["--abort"], ["--continue"]):
        with alone(known, last):
            done = mlmw("update", *command, str(project))
        assert (done.code, done.out) == (2, "")
        assert done.err.startswith(refused)
    with pytest.raises(Refusal, match="another mlmw"), alone(known, None):  # it has ended meanwhile
        pass
    assert mlmw("update", "--abort", str(project)).code == 0
    before = working_tree(project)
    with alone(known, None):
        assert mlmw("update", str(project)).err.startswith(refused)
    assert working_tree(project) == before
    assert mlmw("update", str(project)).code == 0


def test_status_of_what_is_under_way(project: Path, tmp_path: Path, mlmw: Mlmw) -> None:
    """Also in the moment in which there are no answers."""
    _, kills = killing.record(["update"], copied(project, tmp_path), tmp_path / "kills")
    places = [killed.folder for killed in kills if (killed.folder / ".git" / "mlmw").exists()]
    [moved] = [folder for folder in places if not (folder / ANSWERS).exists()]
    ways = "mlmw update --continue completes it, mlmw update --abort undoes it"
    for command in (["status"], ["update", "--check"], ["status", "--json"], ["update"]):
        result = mlmw(*command, str(moved))
        assert (result.code, result.err) == (
            2,
            f"error: project {str(moved)!r}: its last update was interrupted; {ways}\n",
        )
    [outcome] = json.loads(mlmw("update", "--check", "--json", str(moved)).out)
    assert outcome["message"].endswith(ways)
    folder = places[places.index(moved) - 1]
    assert ways in mlmw("status", str(folder)).out
    busy = "another mlmw is at work in its repository; wait until that has ended"
    with alone(find(str(folder)), Journal.read(find(str(folder)))):
        assert busy in mlmw("status", str(folder)).out
        assert busy in mlmw("update", str(folder)).err
    with alone(find(str(moved)), Journal.read(find(str(moved)))):
        assert busy in mlmw("status", str(moved)).err

"""The index of a project's repository: changed in a copy, which takes its place at the end."""

import contextlib
import errno
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from mlmw.journal import folder
from mlmw.merge import NOTHING, Entry, Stage, index_lines
from mlmw.project import Project


class Locked(OSError):
    """Another process holds the lock."""


@contextlib.contextmanager
def locked(project: Project) -> Iterator[None]:
    """Hold the lock that every git respects; raises `Locked` if another process does.

    A lock that a killed mlmw left for the same project is taken over.
    """
    lock, own = _lock(project), folder(project) / f"lock{project.label}"
    own.write_text(_mark(project), encoding="utf-8")
    if lock.exists():
        check_unlocked(project)
        lock.unlink()
    try:
        os.link(own, lock)
    except FileExistsError:
        raise _held(lock) from None
    finally:
        own.unlink()
    try:
        yield
    finally:
        lock.unlink()


def check_unlocked(project: Project) -> None:
    """Raise `Locked` if another process, or another project, has the lock."""
    lock = _lock(project)
    if lock.exists() and lock.read_text(errors="replace") != _mark(project):
        raise _held(lock)


def copy(project: Project) -> Path:
    """A copy to work on."""
    index = folder(project) / f"index{project.label}"
    index.with_name(f"{index.name}.lock").unlink(missing_ok=True)  # left by a killed git
    index.unlink(missing_ok=True)
    if project.index.exists():
        index.write_bytes(project.index.read_bytes())
    return index


def stages(project: Project, paths: Collection[str]) -> Iterator[Stage]:
    """What the repository's index has of these files of the project, or where they have to be."""
    folders = above(paths)
    listing = project.git("ls-files", "--stage", "-z", "--", project.prefix or ".")
    for line in listing.split(b"\0"):
        description, _, name = line.partition(b"\t")
        path = os.fsdecode(name).removeprefix(project.prefix)
        if line and in_place_of(path, paths, folders):
            mode, oid, number = description.decode().split()
            yield Stage(mode, oid, int(number), path)


def above(paths: Iterable[str]) -> set[str]:
    """The folders of these files."""
    return {str(parent) for path in paths for parent in PurePosixPath(path).parents[:-1]}


def in_place_of(path: str, paths: Collection[str], folders: Collection[str]) -> bool:
    """Whether an index that has a path cannot have some of the `paths`, which have `folders`."""
    return path in paths or path in folders or not above([path]).isdisjoint(paths)


def put(project: Project, index: Path, changed: Mapping[str, Entry | None]) -> None:
    """Change entries."""
    lines = index_lines(changed, project.no_object, project.prefix)
    project.git("update-index", "-z", "--index-info", data=lines, index=index)


def add_stages(project: Project, index: Path, conflicts: Iterable[Stage]) -> None:
    """Leave conflicts as git does."""
    both = list(conflicts)
    lines = [f"{NOTHING} {'0' * len(one.oid)}\t{project.prefix}{one.path}" for one in both]
    lines += [f"{one.mode} {one.oid} {one.stage}\t{project.prefix}{one.path}" for one in both]
    if lines:
        data = b"".join(os.fsencode(line) + b"\0" for line in lines)
        project.git("update-index", "-z", "--index-info", data=data, index=index)


def install(project: Project, index: Path, conflicts: Iterable[Stage] = ()) -> None:
    """Let the copy take the place of the index."""
    project.git("update-index", "-q", "--unmerged", "--refresh", index=index)
    add_stages(project, index, conflicts)
    index.replace(project.index)


def _held(lock: Path) -> Locked:
    return Locked(errno.EEXIST, f"another git process holds {str(lock)!r}")


def _mark(project: Project) -> str:
    return f"mlmw{project.label}\n"


def _lock(project: Project) -> Path:
    return project.index.with_name(f"{project.index.name}.lock")

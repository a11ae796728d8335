"""Publishing a merge in the project, so that a kill at any moment can be undone or completed.

A journal in the repository says what is under way before the first file changes. The answers file
changes after all others, the index after that, in one rename. Only files that differ are written,
and Git writes them.
"""

import contextlib
import os
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from mlmw import git
from mlmw.answers import ANSWERS, MARKER
from mlmw.errors import MlmwError, Refusal
from mlmw.journal import ABORTING, DONE, OPEN, Journal, folder, forget
from mlmw.merge import NOTHING, Conflict, Entry, Stage, entries, index_lines
from mlmw.project import Project

FAILURES = (OSError, subprocess.CalledProcessError)
SAVED = "refs/mlmw/before-abort"


def begin(project: Project, journal: Journal, pack: bytes) -> None:
    """Take the merge's objects into the project's repository, point to the state before, publish.

    Raises `Refusal` after undoing everything if the system does not let it.
    """
    what = f"project {project.given!r}"
    try:
        project.git("unpack-objects", "-q", data=pack)
        _point(project, project.before, journal.before)
        _point(project, project.after, _commit(project, journal.result, journal))
        journal.write(project)
    except FAILURES as error:
        why = f"its repository cannot be written ({git.first_line(error)})"
        raise Refusal(what, why, "nothing was changed") from None
    try:
        finish(project, journal)
    except FAILURES as error:
        why = f"it cannot be written ({git.first_line(error)})"
        try:
            _restore(project, journal)
        except FAILURES:
            remedy = "make room or check permissions, then: mlmw update --abort"
            raise MlmwError(what, why, remedy) from None
        raise Refusal(what, why, "nothing was changed") from None
    except KeyboardInterrupt:
        _restore(project, journal)
        raise


def finish(project: Project, journal: Journal) -> None:
    """Write the result; may be repeated after a kill. Raises `OSError` or `CalledProcessError`."""
    changed = difference(_tree(project, journal.ours), _tree(project, journal.result))
    for path, oid in journal.sidecars.items():
        _write_sidecar(project.folder / path, project.git("cat-file", "blob", oid))
    index = _index_with(project, changed)
    _check_out(project, index, {path: changed[path] for path in changed if path != ANSWERS})
    _check_out(project, index, {path: changed[path] for path in changed if path == ANSWERS})
    _add_stages(project, index, journal.stages)
    _replace_index(project, index)
    journal.phase = OPEN if journal.conflicts else DONE
    journal.write(project)


def abort(project: Project, journal: Journal) -> bool:
    """Bring the state before back.

    Returns whether `refs/mlmw/before-abort` now holds work that was done since.
    Raises `OSError` or `CalledProcessError`; it may be repeated.
    """
    saved = _save(project, journal)
    _restore(project, journal)
    return saved


def difference(old: Mapping[str, Entry], new: Mapping[str, Entry]) -> dict[str, Entry | None]:
    """The files that differ, each as it is in the new tree."""
    return {
        path: new.get(path)
        for path in sorted(old.keys() | new.keys())
        if old.get(path) != new.get(path)
    }


def still_open(project: Project, journal: Journal) -> list[Conflict]:
    """The conflicts that nobody has resolved yet."""
    listing = project.git("ls-files", "--unmerged", "-z", "--", project.prefix or ".")
    unmerged = {os.fsdecode(line.partition(b"\t")[2]) for line in listing.split(b"\0") if line}
    return [
        conflict
        for conflict in journal.conflicts
        if f"{project.prefix}{conflict.path}" in unmerged
        or (conflict.sidecar and os.path.lexists(project.folder / conflict.sidecar))
        or (not conflict.sidecar and _has_markers(project.folder / conflict.path))
    ]


def _has_markers(path: Path) -> bool:
    try:
        return len(MARKER.findall(path.read_bytes())) > 1
    except OSError:  # resolved by deleting it
        return False


def _tree(project: Project, tree: str) -> dict[str, Entry]:
    return entries(project.git("ls-tree", "-r", "-z", "--full-tree", tree))


def _index_with(project: Project, changed: Mapping[str, Entry | None]) -> Path:
    """A copy of the repository's index with some entries changed."""
    current = _index(project)
    index = folder(project) / f"index{project.label}"
    _unlock(current, index)
    index.with_name(f"{index.name}.lock").unlink(missing_ok=True)  # left by a killed git
    index.unlink(missing_ok=True)
    if current.exists():
        index.write_bytes(current.read_bytes())
    zero = "0" * len(project.text("rev-parse", "HEAD"))
    lines = index_lines(changed, zero, project.prefix)
    project.git("update-index", "-z", "--index-info", data=lines, index=index)
    return index


def _check_out(project: Project, index: Path, changed: Mapping[str, Entry | None]) -> None:
    """Make files as the index has them, those that go first."""
    for path in [path for path, entry in changed.items() if entry is None]:
        gone = project.folder / path
        if gone.is_symlink() or not gone.is_dir():
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                gone.unlink()
        _prune(gone.parent, project.folder)
    wanted = [f"{project.prefix}{path}" for path, entry in changed.items() if entry]
    if wanted:
        paths = b"".join(os.fsencode(path) + b"\0" for path in wanted)
        project.git("checkout-index", "-f", "-q", "-u", "-z", "--stdin", data=paths, index=index)


def _prune(empty: Path, root: Path) -> None:
    """Remove folders that became empty, as git does."""
    with contextlib.suppress(OSError):
        while empty != root:
            empty.rmdir()
            empty = empty.parent


def _add_stages(project: Project, index: Path, stages: Iterable[Stage]) -> None:
    """Leave conflicts in the index as git does."""
    lines = [f"{NOTHING} {'0' * len(one.oid)}\t{project.prefix}{one.path}" for one in stages]
    lines += [f"{one.mode} {one.oid} {one.stage}\t{project.prefix}{one.path}" for one in stages]
    if lines:
        data = b"".join(os.fsencode(line) + b"\0" for line in lines)
        project.git("update-index", "-z", "--index-info", data=data, index=index)


def _index(project: Project) -> Path:
    return project.top / project.text("rev-parse", "--git-path", "index")


def _lock(current: Path) -> Path:
    return current.with_name(f"{current.name}.lock")


def _unlock(current: Path, index: Path) -> None:
    """Remove a lock that a killed mlmw left: it is our own index, linked to that name."""
    lock = _lock(current)
    if lock.exists() and index.exists() and lock.read_bytes() == index.read_bytes():
        lock.unlink()


def _replace_index(project: Project, index: Path) -> None:
    """Put our index in place, under the lock that every git respects."""
    current = _index(project)
    os.link(index, _lock(current))
    _lock(current).replace(current)
    index.unlink()


def _write_sidecar(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.write_bytes(content)
    elif path.read_bytes() != content and content.startswith(path.read_bytes()):
        path.write_bytes(content)  # a kill had cut it short


def _touched(project: Project, journal: Journal) -> list[str]:
    changed = difference(_tree(project, journal.ours), _tree(project, journal.result))
    return sorted({*changed, *(stage.path for stage in journal.stages)})


def _save(project: Project, journal: Journal) -> bool:
    """Keep in a commit what is neither the state before nor the update's result."""
    paths = [path for path in _touched(project, journal) if _is_file(project.folder / path)]
    if not paths:
        return False
    index = folder(project) / f"index-saved{project.label}"
    index.unlink(missing_ok=True)
    index.with_name(f"{index.name}.lock").unlink(missing_ok=True)
    project.git("read-tree", "--empty", index=index)
    data = b"".join(os.fsencode(f"{project.prefix}{path}") + b"\0" for path in paths)
    options = ("--pathspec-from-file=-", "--pathspec-file-nul")
    project.git("add", "--force", *options, data=data, index=index)
    tree = os.fsdecode(project.git("write-tree", index=index)).strip()
    index.unlink()
    ours, result = _tree(project, journal.ours), _tree(project, journal.result)
    present = _tree(project, tree)
    known = {entry.oid for side in (ours, result) for entry in side.values()}
    if all(entry.oid in known for entry in present.values()):
        return False
    _point(project, SAVED, _commit(project, tree, journal))
    return True


def _commit(project: Project, tree: str, journal: Journal) -> str:
    """A commit that keeps a tree, made on the state before."""
    command = ("commit-tree", "-p", journal.before, "-m", f"mlmw {journal.action}", tree)
    return git.plumb(project.top, *command, environment=git.SIGNATURE).decode().strip()


def _point(project: Project, ref: str, commit: str) -> None:
    project.git("update-ref", "-m", "mlmw", ref, commit)


def _is_file(path: Path) -> bool:
    return path.is_symlink() or path.is_file()


def _restore(project: Project, journal: Journal) -> None:
    """Put the state before in place; may be repeated after a kill."""
    journal.phase = ABORTING
    journal.write(project)
    ours = _tree(project, journal.ours)
    back = {path: ours.get(path) for path in _touched(project, journal)}
    index = _index_with(project, back)
    for path in journal.adopted:
        del back[path]
    _check_out(project, index, {path: entry for path, entry in back.items() if path != ANSWERS})
    _check_out(project, index, {path: entry for path, entry in back.items() if path == ANSWERS})
    for path, oid in journal.sidecars.items():
        sidecar = project.folder / path
        content = project.git("cat-file", "blob", oid)
        if sidecar.is_file() and content.startswith(sidecar.read_bytes()):
            sidecar.unlink()
            _prune(sidecar.parent, project.folder)
    _replace_index(project, index)
    forget(project)

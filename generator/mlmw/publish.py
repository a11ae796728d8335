"""Publishing a merge in the project, so that a kill at any moment can be undone or completed.

A journal in the repository says what is under way before the first file changes. Git writes the
files that differ into a workshop, from where each is moved to its place; the answers file after all
others, the index after that. Nothing is replaced that is not known: see `replace`.
"""

import contextlib
import os
import shutil
import signal
import stat
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from mlmw import git, git_index, workshop
from mlmw.answers import ANSWERS
from mlmw.errors import MlmwError, Refusal
from mlmw.journal import ABORTING, DONE, OPEN, Journal, folder
from mlmw.kept import commit, keep, point, unknown_stages
from mlmw.merge import Entry, difference
from mlmw.project import Project
from mlmw.replace import Changed, Site, fingerprint

FAILURES = (OSError, subprocess.CalledProcessError)
UNFIT = "nothing was changed; move it to a disk that has them"


def begin(project: Project, journal: Journal, pack: bytes) -> list[str]:
    """Take the merge's objects into the project's repository, point to the state before, publish.

    Returns where that is kept which was saved while this happened, if something was: refs. Raises
    `Refusal` after undoing everything if the system or the owner did not let it.
    """
    what = f"project {project.given!r}"
    try:
        project.git("unpack-objects", "-q", data=pack)
        point(project, "before", journal.before)
        after = commit(project, journal.result, f"mlmw {journal.action}", journal.before)
        project.git("update-ref", "-m", "mlmw", project.after, after)
        workshop.check(folder(project))
        journal.workshop = workshop.name(project)
        journal.write(project)
    except workshop.Unfit as error:
        raise Refusal(what, str(error), UNFIT) from None
    except FAILURES as error:
        why = f"its repository cannot be written ({git.first_line(error)})"
        raise Refusal(what, why, "nothing was changed") from None
    try:
        if journal.workshop:
            workshop.check(workshop.enter(project, journal))
        return finish(project, journal)
    except workshop.Unfit as error:
        workshop.leave(project, journal)
        journal.forget(project)
        raise Refusal(what, str(error), UNFIT) from None
    except git_index.Locked as error:
        journal.forget(project)
        raise Refusal(what, f"{error.strerror}", "wait, or remove it if none runs") from None
    except (*FAILURES, Changed, KeyboardInterrupt) as error:
        why = f"it cannot be written ({git.first_line(error)})"
        try:
            kept = _restore(project, journal, by_force=False)
        except FAILURES:
            remedy = "make room or check permissions, then: mlmw update --abort"
            raise MlmwError(what, why, remedy) from None
        if isinstance(error, KeyboardInterrupt):
            raise
        if isinstance(error, Changed):
            why = f"{error} changed while mlmw was at work{f' (see {kept[0]})' if kept else ''}"
            raise Refusal(what, why, "nothing else was changed; run it again") from None
        raise Refusal(what, why, "nothing was changed") from None


def finish(project: Project, journal: Journal) -> list[str]:
    """Write the result; may be repeated after a kill.

    Returns what `begin` does. Raises `Changed`, `OSError` or `CalledProcessError`.
    """
    with git_index.locked(project):
        old, new = journal.trees(project)
        changed = difference(old, new)
        replaced = changed.keys() - set(journal.adopted)
        shop = workshop.enter(project, journal)
        site = Site(project.folder, shop / "attic")
        unknown = [one.path for one in unknown_stages(project, journal, old, new)]
        _check_known(project, journal, site, replaced, unknown)
        index = git_index.copy(project)
        git_index.put(project, index, changed)
        staged = _stage(project, shop, index, [path for path in replaced if changed[path]])
        _keep_permissions(site, staged, old, new)
        for path, oid in journal.sidecars.items():
            if not os.path.lexists(project.folder / path):  # or else a killed run has put it there
                staged[path] = _stage_sidecar(project, shop, path, oid)
        for path, new_file in staged.items():
            journal.know(path, fingerprint(new_file))
        journal.write(project)
        with _uninterrupted():
            for path in _in_order({*replaced, *staged}, staged):
                site.replace(path, staged.get(path), journal.known.get(path, ()))
            kept = keep(project, journal, site, ())
            workshop.leave(project, journal)
            git_index.install(project, index, journal.stages)
    journal.phase = OPEN if journal.conflicts else DONE
    journal.write(project)
    return kept


def abort(project: Project, journal: Journal) -> list[str]:
    """Bring the state before back.

    Returns where work is kept that was done since: a ref, folders. Raises `OSError` or
    `CalledProcessError`; it may be repeated.
    """
    return _restore(project, journal, by_force=True)


def _restore(project: Project, journal: Journal, by_force: bool) -> list[str]:
    """Put the state before in place; what is not known gives way to it only `by_force`."""
    if journal.phase in (OPEN, DONE):  # the project may have been moved since
        journal.workshop = workshop.name(project)
    journal.phase = ABORTING
    journal.write(project)
    with git_index.locked(project):
        old, new = journal.trees(project)
        back = {path: old.get(path) for path in {*difference(old, new), *journal.unmerged}}
        shop = workshop.enter(project, journal)
        site = Site(project.folder, shop / "attic")
        unknown = unknown_stages(project, journal, old, new)
        index = git_index.copy(project)
        git_index.put(project, index, back)
        replaced = {path for path in back if not _as_before(journal, site, path, back[path])}
        staged = _stage(project, shop, index, [path for path in replaced if back[path]])
        _keep_permissions(site, staged, new, old)
        for path, old_file in staged.items():
            journal.know(path, fingerprint(old_file))
        with _uninterrupted():
            for path in _in_order({*replaced, *journal.sidecars}, staged):
                anything = by_force and path not in journal.sidecars
                with contextlib.suppress(Changed):  # then it stays
                    site.replace(
                        path, staged.get(path), None if anything else journal.known.get(path, ())
                    )
            kept = keep(project, journal, site, unknown if by_force else ())
            workshop.leave(project, journal)
            if not by_force:
                index = git_index.copy(project)
                mine = {one.path for one in unknown}
                folders = git_index.above(mine)
                rest = {
                    path: entry
                    for path, entry in back.items()
                    if not git_index.in_place_of(path, mine, folders)
                }
                git_index.put(project, index, rest)
            git_index.install(project, index)
    journal.forget(project)
    return kept


def _as_before(journal: Journal, site: Site, path: str, before: Entry | None) -> bool:
    """Whether a file is still as it was first seen, or was not there for the update to replace."""
    if path in journal.adopted:
        return True
    known = journal.known.get(path, [])
    return before is not None and bool(known) and site.fingerprint(path) == known[0]


def _keep_permissions(
    site: Site, staged: Mapping[str, Path], old: Mapping[str, Entry], new: Mapping[str, Entry]
) -> None:
    """A file keeps its permissions where git's mode, which tells programs from files, stays."""
    for path, file in staged.items():
        same = path in old and path in new and old[path].mode == new[path].mode
        if same and not site.blocker(path):
            with contextlib.suppress(FileNotFoundError):
                mode = (site.root / path).lstat().st_mode
                if stat.S_ISREG(mode) and stat.S_ISREG(file.lstat().st_mode):
                    file.chmod(stat.S_IMODE(mode))


def _check_known(
    project: Project, journal: Journal, site: Site, paths: Iterable[str], staged: Iterable[str]
) -> None:
    """Raise `Changed` where there is something of the owner's that the merge does not know."""
    changed = set(staged)
    if project.text("rev-parse", "HEAD") != journal.head:
        changed.add("HEAD")
    for path in paths:
        there = site.fingerprint(path)
        if there is not None and there not in journal.known.get(path, ()):
            changed.add(path)
    if changed:
        raise Changed(*sorted(changed))


def _stage(project: Project, shop: Path, index: Path, paths: Iterable[str]) -> dict[str, Path]:
    """Let git write these files as the index has them, but into the workshop."""
    place = shop / "files"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    wanted = {path: place / f"{project.prefix}{path}" for path in paths}
    if wanted:
        data = b"".join(os.fsencode(f"{project.prefix}{path}") + b"\0" for path in sorted(wanted))
        command = ("checkout-index", "-f", "-q", "-z", "--stdin")
        project.git(*command, data=data, index=index, work_tree=place)
    return wanted


def _stage_sidecar(project: Project, shop: Path, path: str, oid: str) -> Path:
    place = shop / "sidecars" / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(project.git("cat-file", "blob", oid))
    return place


def _in_order(paths: Iterable[str], staged: Mapping[str, Path]) -> list[str]:
    """Files that go, files that come, and the answers file last."""
    return sorted(paths, key=lambda path: (path == ANSWERS, path in staged, path))


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Let Ctrl-C wait out the moment in which files are replaced; the children inherit it."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)

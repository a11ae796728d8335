"""Keeping what an owner did, in commits of the project's repository that numbered refs point to.

    refs/mlmw/before/1, 2 …   the states before updates
    refs/mlmw/kept/1, 2 …     work that an abort took out of the way

Nothing ever replaces such a ref.
"""

import os
import re
from collections.abc import Iterable, Mapping

from mlmw import git
from mlmw.git_index import stages
from mlmw.journal import Journal, folder
from mlmw.merge import Entry, Stage, difference, index_lines
from mlmw.project import Project
from mlmw.replace import Site, fingerprint


def point(project: Project, kind: str, commit: str) -> str:
    """Point the next ref of a kind to a commit, unless the last one does; returns its name."""
    stem = f"refs/mlmw/{kind}{project.label}"
    listing = project.text("for-each-ref", "--format=%(refname) %(objectname)", stem)
    found = re.findall(rf"^{re.escape(stem)}/(\d+) (\w+)$", listing, re.MULTILINE)
    numbers = {int(number): oid for number, oid in found}
    last = max(numbers, default=0)
    if numbers.get(last) == commit:
        return f"{stem}/{last}"
    name = f"{stem}/{last + 1}"
    project.git("update-ref", "-m", "mlmw", name, commit, "0" * len(commit))  # must be new
    return name


def commit(project: Project, tree: str, message: str, *parents: str) -> str:
    """A commit that keeps a tree."""
    options = [option for parent in parents for option in ("-p", parent)]
    command = ("commit-tree", *options, "-m", message, tree)
    return git.plumb(project.top, *command, environment=git.SIGNATURE).decode().strip()


def keep(project: Project, journal: Journal, site: Site, also: Iterable[Stage]) -> list[str]:
    """Commit what was moved aside and is not known; returns the ref, and folders moved aside.

    A second parent, as `git stash` has it, holds what is `also` to be kept from the index.
    """
    files: dict[str, Entry] = {}
    for path, place in site.moved_aside():
        if fingerprint(place) not in journal.known.get(path, ()):
            link = place.is_symlink()
            content = os.fsencode(os.readlink(place)) if link else place.read_bytes()
            mode = "120000" if link else "100755" if place.stat().st_mode & 0o100 else "100644"
            oid = project.git("hash-object", "-w", "--stdin", data=content).decode().strip()
            files[_free(path, files)] = Entry(mode, oid)
    staged = {
        one.path: Entry(one.mode, one.oid)
        for one in also
        if one.stage == 0 and files.get(one.path) != Entry(one.mode, one.oid)
    }
    if not files and not staged:
        return site.beside
    parents = [journal.before]
    if staged:
        tree = _tree(project, journal.before, staged)
        parents.append(commit(project, tree, "Staged before mlmw update --abort", journal.before))
    tree = _tree(project, journal.before, files)
    kept = commit(project, tree, "Before mlmw update --abort", *parents)
    return [point(project, "kept", kept), *site.beside]


def unknown_stages(
    project: Project, journal: Journal, ours: Mapping[str, Entry], result: Mapping[str, Entry]
) -> list[Stage]:
    """What is staged where an update's files are, and is neither from before nor of its making."""
    return [
        one
        for one in stages(project, {*difference(ours, result), *journal.unmerged})
        if one not in journal.stages
        and Entry(one.mode, one.oid) not in (ours.get(one.path), result.get(one.path))
    ]


def _free(path: str, taken: Mapping[str, Entry]) -> str:
    return path if path not in taken else _free(f"{path}.older", taken)


def _tree(project: Project, commit: str, files: Mapping[str, Entry]) -> str:
    """The tree of a commit with these files put in."""
    place = folder(project) / f"index-kept{project.label}"
    for path in (place, place.with_name(f"{place.name}.lock")):
        path.unlink(missing_ok=True)
    project.git("read-tree", commit, index=place)
    lines = index_lines(files, project.no_object, project.prefix)
    project.git("update-index", "--replace", "-z", "--index-info", data=lines, index=place)
    tree = os.fsdecode(project.git("write-tree", index=place)).strip()
    place.unlink()
    return tree

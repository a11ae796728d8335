"""New files of the template where the owner has something that git does not track."""

import os
from pathlib import Path, PurePosixPath

from mlmw.errors import MlmwError
from mlmw.merge import Conflict, Entry, Merged, Workspace, difference
from mlmw.project import Project

SIDECAR = ".from-template"


def set_aside(
    project: Project, space: Workspace, merged: Merged
) -> tuple[dict[str, str], list[str]]:
    """Take new files out of the merge where something untracked is in their place.

    They become sidecars: the template's file beside the owner's. Returns their objects by path, and
    the paths where the owner happens to have the same file already.
    """
    ours, result = space.entries(merged.ours), space.entries(merged.tree)
    changed = difference(ours, result)
    leaving = {path for path, entry in changed.items() if entry is None}
    sidecars: dict[str, str] = {}
    adopted: list[str] = []
    for path, entry in changed.items():
        if entry is None or path in ours:
            continue
        blocked = _blocked(project.folder, path, leaving)
        if blocked is None:
            continue
        if _same(project.folder / path, space, entry):
            adopted.append(path)
            continue
        sidecar = _sidecar(project.folder, path, blocked, {*result, *sidecars})
        sidecars[sidecar] = entry.oid
        message = f"the template's new file would replace {blocked!r}, which git does not track"
        merged.conflicts = [one for one in merged.conflicts if one.path != path]
        merged.stages = [stage for stage in merged.stages if stage.path != path]
        merged.conflicts.append(Conflict(path, "untracked", message, sidecar))
    if sidecars:
        out = [one.path for one in merged.conflicts if one.sidecar]
        merged.tree = space.with_changes(merged.tree, dict.fromkeys(out))
    return sidecars, adopted


def _blocked(folder: Path, path: str, leaving: set[str]) -> str | None:
    """The untracked thing, if any, that stands where a new file has to go."""
    for parent in reversed(PurePosixPath(path).parents[:-1]):
        place = folder / parent
        there = place.is_symlink() or (place.exists() and not place.is_dir())
        if there and str(parent) not in leaving:
            return str(parent)
    place = folder / path
    if place.is_symlink() or not place.is_dir():
        return path if os.path.lexists(place) and path not in leaving else None
    inside = (
        below.relative_to(folder).as_posix() for below in place.rglob("*") if not below.is_dir()
    )
    return path if any(below not in leaving for below in inside) else None


def _same(place: Path, space: Workspace, entry: Entry) -> bool:
    """Whether what is there already is just what the template brings."""
    if place.is_symlink() or not place.is_file() or entry.mode == "120000":
        return False
    return place.read_bytes() == space.content(entry.oid)


def _sidecar(folder: Path, path: str, blocked: str, taken: set[str]) -> str:
    """A free name beside what is in the way."""
    rest = path.removeprefix(blocked)
    for number in range(1, 1000):
        name = f"{blocked}{SIDECAR}{'' if number == 1 else number}{rest}"
        if name not in taken and not os.path.lexists(folder / name):
            return name
    raise MlmwError(f"file {path!r}", "no free name beside it", "remove what earlier updates left")

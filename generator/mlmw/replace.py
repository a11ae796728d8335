"""Replacing files without losing what somebody saves there at the same moment.

Whoever looks at a file and then overwrites it loses what is saved in between. So what is in the way
is moved aside by one rename, and looked at once more where nobody else can find it. The new file
gets its name by a link, which fails if there is a file of that name again.
"""

import contextlib
import hashlib
import os
import stat
import tempfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

ASIDE = ".kept"
FOLDER = "folder"  # or something odd, such as a device


class Changed(Exception):
    """Somebody has changed these files meanwhile; what they hold now is still there."""

    def __init__(self, *paths: str) -> None:
        super().__init__(", ".join(map(repr, paths)))
        self.paths = paths


def fingerprint(place: Path) -> str | None:
    """Tells type, mode and content apart; `None` where nothing is."""
    try:
        status = place.lstat()
        if stat.S_ISLNK(status.st_mode):
            kind, content = "link", os.fsencode(os.readlink(place))
        elif stat.S_ISREG(status.st_mode):
            kind = "program" if status.st_mode & stat.S_IXUSR else "file"
            content = place.read_bytes()
        elif stat.S_ISDIR(status.st_mode) and all(below.is_dir() for below in place.rglob("*")):
            return None  # as git sees it
        else:
            return FOLDER
    except (FileNotFoundError, NotADirectoryError):
        return None
    return f"{kind} {hashlib.sha256(content).hexdigest()}"


@dataclass(frozen=True)
class Site:
    """A folder in which files are replaced, and the attic for what they replace."""

    root: Path
    attic: Path  # on the same file system
    beside: list[str] = field(default_factory=list)  # folders that had to make room

    def blocker(self, path: str) -> str | None:
        """The file or link, if any, that stands where a folder above this path has to be."""
        for parent in reversed(PurePosixPath(path).parents[:-1]):
            place = self.root / parent
            if place.is_symlink() or (place.exists() and not place.is_dir()):
                return str(parent)
        return None

    def fingerprint(self, path: str) -> str | None:
        """What is at a path; no link above it is followed."""
        return None if self.blocker(path) else fingerprint(self.root / path)

    def replace(self, path: str, new: Path | None, known: Collection[str] | None) -> None:
        """Put a file, or nothing, where there is something known, or anything if `known` is `None`.

        `new` is moved. Raises `Changed`, and leaves there what it found, if that is not known.
        """
        while blocker := self.blocker(path):
            if new is None:
                return
            self._move_aside(blocker, known)
        place = self.root / path
        there = fingerprint(place)
        if there == (new and fingerprint(new)):
            return
        if new is None and there == FOLDER:
            return  # it is not in the way of anything
        if there is not None:
            self._move_aside(path, known)
        if new is None:
            _prune(place.parent, self.root)
            return
        _remove_empty(place)
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            _move(new, place)
        except FileExistsError:
            if known is not None:
                raise Changed(path) from None
            self.replace(path, new, known)

    def moved_aside(self) -> Iterator[tuple[str, Path]]:
        """The path of each file in the attic, and where it is now."""
        for place in sorted(self.attic.rglob("*")):
            if place.is_symlink() or place.is_file():
                yield Path(*place.relative_to(self.attic).parts[1:]).as_posix(), place

    def _move_aside(self, path: str, known: Collection[str] | None) -> None:
        """A file or a link goes into the attic; a folder stays beside the path."""
        place = self.root / path
        there = fingerprint(place)
        if known is not None and there not in known:
            raise Changed(path)
        aside = _beside(place) if there == FOLDER else self._room(path)
        with contextlib.suppress(FileNotFoundError):  # gone by itself
            place.rename(aside)
            if there == FOLDER:
                self.beside.append(aside.relative_to(self.root).as_posix())
        if known is not None and fingerprint(aside) not in {None, *known}:
            with contextlib.suppress(FileExistsError):  # then it is kept with the attic
                _move(aside, place)
            raise Changed(path)

    def _room(self, path: str) -> Path:
        """A free place in the attic."""
        self.attic.mkdir(parents=True, exist_ok=True)
        room = Path(tempfile.mkdtemp(dir=self.attic)) / path
        room.parent.mkdir(parents=True, exist_ok=True)
        return room


def _move(source: Path, place: Path) -> None:
    """Give a file or link another name, which must be free, on the same file system."""
    if source.is_symlink():
        os.symlink(os.readlink(source), place)
    elif source.is_file():
        os.link(source, place)
    else:
        source.rename(place)
        return
    source.unlink()


def _beside(place: Path) -> Path:
    """A free name beside a folder."""
    number, aside = 1, place.with_name(f"{place.name}{ASIDE}")
    while os.path.lexists(aside):
        number += 1
        aside = place.with_name(f"{place.name}{ASIDE}{number}")
    return aside


def _remove_empty(folder: Path) -> None:
    """Remove a folder in which there are only folders."""
    if folder.is_dir() and not folder.is_symlink():
        for below in sorted(folder.rglob("*"), reverse=True):
            below.rmdir()
        folder.rmdir()


def _prune(empty: Path, root: Path) -> None:
    """Remove folders that became empty, as git does."""
    with contextlib.suppress(OSError):
        while empty != root:
            empty.rmdir()
            empty = empty.parent

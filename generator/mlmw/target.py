"""The folder where a project shall be: checked first, filled by a single rename at the end."""

import contextlib
import os
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mlmw import checks
from mlmw.errors import MlmwError, Refusal

LONGEST_FILE_NAME = 255  # bytes, on all common file systems
WINDOWS_DEVICES = {"con", "prn", "aux", "nul"} | {
    f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10)
}


@dataclass(frozen=True)
class Target:
    """A place where a project can be made."""

    given: str  # as typed
    path: Path  # absolute
    ancestor: Path  # the nearest folder above it that exists
    missing: tuple[str, ...]  # names to be made below the ancestor; the last is the project's

    @property
    def name(self) -> str:
        """Name of the project's folder."""
        return self.path.name


def check(given: str) -> Target:
    """Find out whether a project can be made there; raises `Refusal` if not."""
    what = f"PATH {given!r}"
    try:
        path = Path(os.path.abspath(checks.single_line("PATH", given)))
    except FileNotFoundError:
        why = "the current folder is not there any more"
        raise Refusal(what, why, "go to another one, with cd") from None
    _check_vacant(what, path)
    ancestor = path.parent
    while not os.path.lexists(ancestor):
        ancestor = ancestor.parent
    if not ancestor.is_dir():
        brief = "it is below a file; choose another place"
        raise Refusal(what, f"{str(ancestor)!r} is not a folder", "choose another place", brief)
    missing = path.relative_to(ancestor).parts
    for name in missing:
        _check_portable(what, name)
    if not os.access(ancestor, os.W_OK | os.X_OK):
        why = f"you may not write into {str(ancestor)!r}"
        brief = "you may not write there; choose another place"
        raise Refusal(what, why, "choose another place or change its permissions", brief)
    return Target(given, path, ancestor, missing)


def _check_vacant(what: str, path: Path) -> None:
    """Refuse a place where there is something already; an empty folder is fine."""
    if os.path.islink(path):  # unlike Path's methods, these take any length of name
        raise Refusal(what, "it is a symbolic link", "give the folder that it points to")
    if os.path.isdir(path):
        if path.samefile(os.curdir):
            remedy = f"go up with 'cd ..' and give the name: mlmw new {path.name}"
            brief = "it is the current folder; choose another one"
            raise Refusal(what, "it is the current folder", remedy, brief)
        try:
            occupied = any(path.iterdir())
        except OSError as error:
            raise Refusal(what, f"it cannot be read ({error.strerror})", "choose another") from None
        if occupied:
            remedy = "choose another name, or move away what is there"
            brief = "the folder is not empty; choose another name"
            raise Refusal(what, "the folder exists and is not empty", remedy, brief)
    elif os.path.lexists(path):
        raise Refusal(what, "there is a file of this name", "choose another name")


def _check_portable(what: str, name: str) -> None:
    """Refuse folder names that Windows cannot hold or that a shell takes for an option."""
    shown = repr(name)
    forbidden = sorted(set(name) & set('<>:"|?*\\'))
    if forbidden:
        why = f"has {' '.join(forbidden)} in it, which Windows cannot hold"
    elif name != name.rstrip(". "):
        why = "ends with a dot or a blank, which Windows cannot hold"
    elif name.split(".")[0].rstrip().lower() in WINDOWS_DEVICES:
        why = "is a device on Windows"
    elif name.startswith(("-", "~")):
        why = f"starts with {name[0]}, which a shell takes for something else"
    elif len(os.fsencode(name)) > LONGEST_FILE_NAME:
        why = f"is longer than {LONGEST_FILE_NAME} bytes"
        shown = f"{name[:20]!r}..."
    else:
        return
    brief = f"it {why}; choose another name"
    raise Refusal(what, f"the name {shown} {why}", "choose another name", brief)


@contextlib.contextmanager
def staging(target: Target) -> Iterator[Path]:
    """A hidden folder on the target's file system, removed again unless it was published.

    `Path.mkdir` respects the user's umask, which `tempfile.mkdtemp` does not.
    """
    folder = target.ancestor / f".{target.name[:40]}.mlmw-{os.urandom(4).hex()}"
    try:
        try:
            folder.mkdir()
        except OSError as error:
            why = f"no folder can be made in {str(target.ancestor)!r} ({error.strerror})"
            raise Refusal(f"PATH {target.given!r}", why, "choose another place") from None
        yield folder
    finally:
        remove(folder)


def publish(folder: Path, target: Target) -> None:
    """Turn a finished folder into the project, all at once."""
    made: list[Path] = []
    try:
        for depth in range(1, len(target.missing)):
            parent = target.ancestor.joinpath(*target.missing[:depth])
            parent.mkdir()
            made.append(parent)
        if os.name == "nt" and target.path.is_dir():
            target.path.rmdir()  # elsewhere the rename itself takes an empty folder's place
        folder.rename(target.path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            for parent in reversed(made):
                parent.rmdir()
        if isinstance(error, OSError):
            what, why = f"PATH {target.given!r}", f"it changed meanwhile ({error.strerror})"
            raise MlmwError(what, why, "choose another place") from None
        raise


def clear(folder: Path) -> None:
    """Delete all that is in a folder, if it is there."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def remove(folder: Path) -> None:
    """Delete a folder if it is there; a second Ctrl-C must not stop this halfway."""
    if not folder.exists():
        return
    interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        if os.name == "nt":  # where Git's read-only files would stay
            for path in folder.rglob("*"):
                path.chmod(0o700)
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        signal.signal(signal.SIGINT, interrupt)

"""Run a command line, and see what a kill at any point of it would leave.

A point is every moment at which a file, a folder or a link is about to be made, changed or removed,
or a program is about to be started; Python's audit events tell of them. What SIGKILL leaves on the
disk is what is there at that moment: so one run that is copied at each point shows the outcome of
every kill. `run` really kills, which the tests do at some points to see that it is the same.
"""

import importlib
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlmw import cli

for _name in ("copier", "filelock", "yaml", "mlmw.conclude", "mlmw.render", "mlmw.report"):
    importlib.import_module(_name)  # once, before the forks, not in each of them

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
CHANGES = {
    *("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate"),
    *("os.chmod", "os.utime", "shutil.rmtree", "subprocess.Popen"),
}


@dataclass(frozen=True)
class Killed:
    """What a kill leaves at these points, counted from 1, which differ in nothing on the disk."""

    points: range
    folder: Path


def run(
    arguments: Sequence[str], folder: Path, point: int = 0, at: Callable[[int], None] | None = None
) -> int | None:
    """Run a command line in a child process that is killed at a point, if it is not 0.

    `at` is called there at each point. Returns the exit code, or `None` if it was killed.
    """

    def kill(number: int) -> None:
        if number == point:
            os.kill(os.getpid(), signal.SIGKILL)

    return _fork(arguments, folder, at or kill)[0]


def record(
    arguments: Sequence[str], folder: Path, copies: Path, stride: int = 1
) -> tuple[int | None, list[Killed]]:
    """Run a command line and copy the folder, wherever it has changed, at each of its points.

    With a stride only every so many changes are copied, besides the last one. Returns the exit code
    and the copies in order; the last one is how the command left it.
    """
    last: list[object] = []
    changes = 0

    def copy(number: int, always: bool = False) -> None:
        nonlocal changes
        now = sorted(_signs(folder))
        if now != last:
            last[:] = now
            changes += 1
            if (changes - 1) % stride and not always:
                return
            shutil.copytree(folder, copies / str(number), symlinks=True, copy_function=_copy)

    code, events = _fork(arguments, folder, copy)
    copy(len(events) + 1, always=True)
    starts = sorted(int(path.name) for path in copies.iterdir())
    ends = [*starts[1:], len(events) + 2]
    return code, [
        Killed(range(start, end), copies / str(start))
        for start, end in zip(starts, ends, strict=True)
    ]


def _fork(
    arguments: Sequence[str], folder: Path, at: Callable[[int], None]
) -> tuple[int | None, list[str]]:
    """Run a command line in a child process and call `at` there at each point."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _in_child(arguments, folder, at, writer)
    os.close(writer)
    with open(reader, encoding="utf-8", errors="replace") as pipe:
        events = pipe.read().splitlines()
    _, status = os.waitpid(child, 0)
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    return (None if killed else os.waitstatus_to_exitcode(status)), events


def _in_child(
    arguments: Sequence[str], folder: Path, at: Callable[[int], None], writer: int
) -> None:
    """Never returns."""
    os.chdir(folder)
    silence = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(silence, stream)
    seen, looking = 0, False

    def watch(event: str, details: tuple[Any, ...]) -> None:
        nonlocal seen, looking
        if looking:
            return
        if event == "open":
            path, _, flags = details
            if not flags & WRITING or path == os.devnull or isinstance(path, int):
                return
        elif event not in CHANGES:
            return
        seen += 1
        os.write(writer, f"{event} {details[0]!r} {details[1]!r}\n".encode(errors="replace")[:400])
        looking = True
        at(seen)
        looking = False

    code = 70
    try:
        sys.dont_write_bytecode = True  # so that every run has the same points
        sys.addaudithook(watch)
        code = cli.run(arguments)
    finally:
        os._exit(code)


def _signs(folder: Path) -> Iterator[tuple[str, int, int, int, int]]:
    """What changes when anything below a folder does."""
    for entry in os.scandir(folder):
        status = entry.stat(follow_symlinks=False)
        yield entry.path, status.st_ino, status.st_mode, status.st_size, status.st_mtime_ns
        if entry.is_dir(follow_symlinks=False):
            yield from _signs(Path(entry.path))


def _copy(source: str, place: str) -> str:
    """Copy a file; Git's objects, which nobody changes, need no copy."""
    if f"{os.sep}objects{os.sep}" in source:
        os.link(source, place)
        return place
    return str(shutil.copy2(source, place))

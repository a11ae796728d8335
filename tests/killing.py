"""Run a command line and kill it, with SIGKILL, at one chosen point.

A point is every moment at which a file, a folder or a link is about to be made, changed or removed,
or a program is about to be started; Python's audit events tell of them.
"""

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mlmw import cli

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
CHANGES = {
    *("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate"),
    *("os.chmod", "os.utime", "shutil.rmtree", "subprocess.Popen"),
}


def run(arguments: Sequence[str], folder: Path, point: int) -> tuple[int | None, list[str]]:
    """Run a command line in a child process that is killed at a point, counted from 1.

    Returns its exit code, or `None` if it was killed, and the events that it has seen.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _in_child(arguments, folder, point, writer)
    os.close(writer)
    with open(reader, encoding="utf-8", errors="replace") as pipe:
        events = pipe.read().splitlines()
    _, status = os.waitpid(child, 0)
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    return (None if killed else os.waitstatus_to_exitcode(status)), events


def _in_child(arguments: Sequence[str], folder: Path, point: int, writer: int) -> None:
    """Never returns."""
    os.chdir(folder)
    silence = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(silence, stream)
    seen = 0

    def watch(event: str, details: tuple[Any, ...]) -> None:
        nonlocal seen
        if event == "open":
            path, _, flags = details
            if not flags & WRITING or path == os.devnull or isinstance(path, int):
                return
        elif event not in CHANGES:
            return
        seen += 1
        os.write(writer, f"{event} {details[0]!r} {details[1]!r}\n".encode(errors="replace")[:400])
        if seen == point:
            os.kill(os.getpid(), signal.SIGKILL)

    code = 70
    try:
        sys.addaudithook(watch)
        code = cli.run(arguments)
    finally:
        os._exit(code)

"""A page of the documentation as a test: its commands in order, its outputs compared.

Blocks of `bash` are run in one shell, in a folder that is empty at first. A block of `text` right
behind one is what it prints; `...` in it stands for anything. A comment `<!-- not run: why -->`
before a block leaves it out. Whatever a page starts in the background is stopped at its end.
"""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

BLOCK = re.compile(
    r"^(?P<skip><!-- not run: .+ -->\n\n?)?```(?P<kind>bash|text)\n(?P<body>.*?)^```$", re.M | re.S
)
END = "end of block, exit code"
LIMIT = 600  # seconds: only for what would never end


@dataclass(frozen=True)
class Step:
    """Commands, and what they print if the page shows it."""

    commands: str
    shown: str | None


def steps(page: str) -> Iterator[Step]:
    """The blocks of a page that are run, with their outputs."""
    found = list(BLOCK.finditer(page))
    for block, following in zip(found, [*found[1:], None], strict=True):
        if block["kind"] == "bash" and not block["skip"]:
            prints = following is not None and following["kind"] == "text"
            yield Step(block["body"], following["body"] if following and prints else None)


def matches(shown: str, printed: str) -> bool:
    """Whether an output is as it is shown, blanks at the ends of lines apart."""
    lines = "\n".join(line.rstrip() for line in printed.strip().splitlines())
    pattern = ".*".join(re.escape(part) for part in shown.strip().split("..."))
    return re.fullmatch(pattern, lines, re.S) is not None


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def walk(
    page: str, folder: Path, environment: Mapping[str, str], after: Callable[[Path], None]
) -> int:
    """Run a page in a folder, calling `after` with it after each step; returns the steps' number.

    Raises `AssertionError` where a command fails or prints something else than is shown.
    """
    port = free_port()
    bash = shutil.which("bash")
    assert bash, "there is no bash"
    shell = subprocess.Popen(
        [bash, "--noprofile", "--norc"],
        cwd=folder,
        env={**environment, "SERVE_PORT": str(port), "COLUMNS": "100"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        start_new_session=True,
    )
    assert shell.stdin
    assert shell.stdout
    patience = threading.Timer(LIMIT, os.killpg, (shell.pid, signal.SIGKILL))
    patience.start()
    count = 0
    try:
        for step in steps(page.replace(":8000", f":{port}")):
            shell.stdin.write(f"{step.commands}printf '\\n{END} %s\\n' $?\n")
            shell.stdin.flush()
            printed = line = ""
            for line in shell.stdout:
                if line.startswith(END):
                    break
                printed += line
            told = f"{step.commands}\nprinted:\n{printed}"
            assert line == f"{END} 0\n", f"{line}{told}"
            assert step.shown is None or matches(step.shown, printed), (
                f"{told}\nbut the page shows:\n{step.shown}"
            )
            after(folder)
            count += 1
        return count
    finally:
        patience.cancel()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(shell.pid, signal.SIGTERM)
        shell.wait(30)

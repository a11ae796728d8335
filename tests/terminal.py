"""A program at a real pseudo-terminal, and what a person would see on its screen."""

import os
import select
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

import pexpect
import pyte

UP, DOWN, ENTER, SPACE, CONTROL_C, CLEAR = "\x1b[A", "\x1b[B", "\r", " ", "\x03", "\x15"
SIZE = {"COLUMNS", "LINES"}  # which would count more than the terminal's own
MLMW = [sys.executable, "-m", "mlmw"]


def _dense(text: str) -> str:
    return "".join(text.split())


class Terminal:
    """Runs a command; `screen` is what is to be seen, `history` what scrolled out of sight too."""

    def __init__(
        self,
        command: Sequence[str],
        columns: int = 80,
        lines: int = 40,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> None:
        self.columns = columns
        self._screen = pyte.HistoryScreen(columns, lines, history=1000)
        self._stream = pyte.ByteStream(self._screen)
        self.raw = b""
        self._before = ""
        inherited = {name: os.environ[name] for name in os.environ if name not in SIZE}
        variables = {"TERM": "xterm-256color", "PYTHONUTF8": "1"}
        self._process = pexpect.spawn(
            command[0],
            list(command[1:]),
            dimensions=(lines, columns),
            env=inherited | variables | dict(environment or {}),
            cwd=folder,
            timeout=60,
        )
        self._process.delaybeforesend = None

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.close(force=True)

    @property
    def rows(self) -> list[dict[int, pyte.screens.Char]]:
        """Every row of characters from the first one on, with their colours."""
        shown = [self._screen.buffer[number] for number in range(self._screen.lines)]
        return [*self._screen.history.top, *shown]

    @property
    def screen(self) -> str:
        """What is to be seen now."""
        return "\n".join(line.rstrip() for line in self._screen.display).rstrip()

    @property
    def history(self) -> str:
        """All that was printed, as the terminal has laid it out."""
        columns = range(self._screen.columns)
        lines = ["".join(row[column].data for column in columns).rstrip() for row in self.rows]
        return "\n".join(lines).rstrip()

    def _read(self) -> bool:
        try:
            chunk = self._process.read_nonblocking(65536, timeout=0.2)
        except pexpect.TIMEOUT:
            return True
        except pexpect.EOF:
            return False
        self.raw += chunk
        self._stream.feed(chunk)
        if b"\x1b[6n" in chunk:  # prompt_toolkit asks where the cursor is
            cursor = self._screen.cursor
            self._process.send(f"\x1b[{cursor.y + 1};{cursor.x + 1}R")
        return True

    def wait_for(self, text: str) -> str:
        """Read until a text stands there once more than at the last key; returns the screen."""
        deadline = time.monotonic() + 60
        wanted = _dense(text)  # it may be broken anywhere
        while _dense(self.history).count(wanted) <= self._before.count(wanted):
            alive = time.monotonic() < deadline and self._read()
            assert alive, f"{text!r} never came:\n{self.history}"
        while select.select([self._process], [], [], 0.1)[0] and self._read():
            pass  # what belongs to it
        return self.screen

    def answer(self, question: str, *keys: str) -> str:
        """Wait for a question and press keys; returns the screen with the question."""
        seen = self.wait_for(question)
        self._before = _dense(self.history)
        for key in keys:
            self._process.send(key)
        return seen

    def finish(self, seconds: float = 60) -> int:
        """Read to the end; returns the exit code."""
        deadline = time.monotonic() + seconds
        while self._read():
            assert time.monotonic() < deadline, f"it does not end:\n{self.history}"
        self._process.close()
        code = self._process.exitstatus
        assert code is not None, f"killed by signal {self._process.signalstatus}"
        return code

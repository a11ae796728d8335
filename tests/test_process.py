"""`mlmw` as a process of its own: killed, interrupted, without heavy imports."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

MLMW = [sys.executable, "-m", "mlmw"]
NEW = [*MLMW, "new", "deep/my-project", "--defaults"]


def start_until_rendering(here: Path) -> tuple[subprocess.Popen[bytes], Path]:
    """Start `mlmw new` and wait until its hidden folder has files; returns that folder."""
    # A process that was started in the background ignores Ctrl-C, and so would its children.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(NEW, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    signal.signal(signal.SIGINT, before)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        hidden = [path for path in here.iterdir() if path.name.startswith(".my-project.mlmw-")]
        if hidden and any(hidden[0].iterdir()):
            return process, hidden[0]
    raise AssertionError(f"never seen rendering: {process.communicate()}")


@pytest.mark.parametrize(
    ("signal_name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)]
)
def test_told_to_stop(signal_name: str, code: int, here: Path) -> None:
    process, _ = start_until_rendering(here)
    process.send_signal(getattr(signal, signal_name))
    _, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert list(here.iterdir()) == []
    message = b"error: interrupted: nothing half-made is left; run it again\n"
    assert err == (message if signal_name == "SIGINT" else b"")


def test_killed(here: Path) -> None:
    process, hidden = start_until_rendering(here)
    process.kill()
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert list(here.iterdir()) == [hidden]


def test_killed_at_any_time(here: Path) -> None:
    started = time.monotonic()
    subprocess.run([*MLMW, "new", "whole", "--defaults"], check=True, stdout=subprocess.DEVNULL)
    whole_time = time.monotonic() - started
    modules = len(list(Path("whole").rglob("*.py")))
    for part in (0.5, 0.7, 0.8, 0.9, 1.0):
        process = subprocess.Popen(NEW, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(whole_time * part)
        process.kill()
        process.wait()
        project = here / "deep" / "my-project"
        if project.exists():  # then it is whole
            assert (project / ".git" / "refs" / "heads" / "main").is_file()
            assert len(list(project.rglob("*.py"))) == modules
            project.rename(here / f"done-{part}")


HEAVY = {"copier", "jinja2", "yaml", "questionary", "prompt_toolkit", "rich"}
SHOW_IMPORTS = """
import sys
from mlmw.cli import run
code = run(sys.argv[1:])
print(sorted({name.partition(".")[0] for name in sys.modules} & HEAVY), code)
""".replace("HEAVY", repr(HEAVY))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--help"], "[] 0"),
        (["new", "--help"], "[] 0"),
        (["--version"], "[] 0"),
        (["recipes"], "['yaml'] 0"),
        (["update", "--help"], "[] 0"),
        (["update", "missing"], "[] 2"),
        (["config"], "[] 0"),
        (["new", "torch"], "[] 2"),
        (["new", "x", "--recipe", "nonsense"], "['yaml'] 2"),
    ],
)
def test_heavy_imports_come_after_the_checks(arguments: list[str], expected: str) -> None:
    process = subprocess.run(
        [sys.executable, "-c", SHOW_IMPORTS, *arguments], capture_output=True, text=True, check=True
    )
    assert process.stdout.splitlines()[-1] == expected


def test_reader_that_stops_reading() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    process = subprocess.run([*MLMW, "recipes"], stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert (process.returncode, process.stderr) == (1, b"")

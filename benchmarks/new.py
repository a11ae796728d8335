"""How long `mlmw new` takes beside `copier copy` of the same template.

    python benchmarks/new.py [--rounds N]

Whole processes, one after the other, in rounds that alternate between them, so that a slow minute
of the machine hits all alike. Each ratio is the median of the rounds' own ratios.
"""

import argparse
import compileall
import os
import platform
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import mlmw
from mlmw.template import template_root

RECIPE = "tabular"


def commands(project: str) -> dict[str, list[str]]:
    """What is compared, the reference first."""
    new = [sys.executable, "-m", "mlmw", "new", project, "--recipe", RECIPE, "--defaults"]
    copy = [sys.executable, "-m", "copier", "copy", "--quiet", "--defaults", "--vcs-ref=HEAD"]
    return {
        "copier copy": [*copy, f"--data=recipes=[{RECIPE}]", str(template_root()), project],
        "mlmw new --no-git": [*new, "--no-git"],
        "mlmw new": new,
        "mlmw new --dry-run": [*new, "--dry-run"],
        "mlmw --help": [sys.executable, "-m", "mlmw", "--help"],
        "python -c pass": [sys.executable, "-c", "pass"],
    }


def seconds(command: list[str], folder: Path, environment: dict[str, str]) -> float:
    """Wall time of one process in an empty folder."""
    folder.mkdir()
    started = time.perf_counter()
    subprocess.run(
        command, cwd=folder, env=environment, check=True, capture_output=True, timeout=120
    )
    elapsed = time.perf_counter() - started
    shutil.rmtree(folder)
    return elapsed


def measure(rounds: int) -> dict[str, list[float]]:
    """Seconds of each command in each round; every other round goes backwards."""
    chosen = commands("my-project")
    times: dict[str, list[float]] = {name: [] for name in chosen}
    with tempfile.TemporaryDirectory() as temporary:
        environment = os.environ | {"HOME": temporary}
        for number in range(rounds + 1):
            order = list(chosen) if number % 2 else list(reversed(chosen))
            for name in order:
                elapsed = seconds(chosen[name], Path(temporary) / "work", environment)
                if number:  # the first round warms the caches
                    times[name].append(elapsed)
    return times


def print_environment(rounds: int) -> None:
    """What the numbers hold for."""
    git = subprocess.run(["git", "--version"], capture_output=True, text=True, check=False)
    template = template_root()
    kind = "Git checkout" if (template / ".git").exists() else "plain folder"
    versions = ", ".join(f"{name} {version(name)}" for name in ("copier", "typer", "jinja2"))
    print(f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {rounds} rounds")
    print(f"Python {platform.python_version()}, {versions}, {git.stdout.strip()}")
    print(f"mlmw {mlmw.__version__}, template: {kind}, byte-compiled\n")


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    for folder in (sysconfig.get_path("purelib"), Path(mlmw.__file__).parent):
        compileall.compile_dir(str(folder), quiet=2)
    print_environment(rounds)
    times = measure(rounds)
    reference, *_ = times
    print(f"{'command':20}  {'median':>8}  {'fastest':>8}  ratio to {reference}")
    for name, measured in times.items():
        pairs = zip(measured, times[reference], strict=True)
        ratio = statistics.median(ours / theirs for ours, theirs in pairs)
        median, fastest = statistics.median(measured), min(measured)
        print(f"{name:20}  {median:6.3f} s  {fastest:6.3f} s  {ratio:.2f}")


if __name__ == "__main__":
    main()

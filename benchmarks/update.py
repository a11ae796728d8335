"""What `mlmw update` and plain `copier update` lose, and how long they take, on the same cases.

    python benchmarks/update.py [--cases N]

Each case is a project that its owner edited at random and a template that changed at random (see
tests/random_updates.py). Both tools get a copy of it, in whole processes that take turns. A loss is
a line or a binary file of the owner that is afterwards in no file, nor between conflict markers. A
case that a tool refuses is no loss.
"""

import argparse
import json
import os
import platform
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from random_updates import Case, make_case

COMMANDS = {
    "copier update": [sys.executable, "-m", "copier", "update", "--defaults", "--quiet"],
    "mlmw update": [sys.executable, "-m", "mlmw", "update", "--json"],
}


@dataclass
class Tally:
    """What one tool did."""

    seconds: list[float] = field(default_factory=list)
    refused: int = 0
    told: int = 0  # of conflicts, by the exit code
    lossy: int = 0  # cases in which something was lost
    silent: int = 0  # those of them that ended with exit code 0
    examples: list[str] = field(default_factory=list)


def new(project: Path, template: Path) -> None:
    """Make the project of a case."""
    command = [sys.executable, "-m", "mlmw", "new", str(project), "--name=small", "--defaults"]
    options = ["--template", str(template)]
    subprocess.run([*command, *options], check=True, capture_output=True)


def run(case: Case, copy: Path, command: Sequence[str], tally: Tally) -> None:
    """Update a copy of a case's project, and see what is left."""
    shutil.copytree(case.project, copy, symlinks=True)
    subprocess.run(["git", "update-index", "-q", "--refresh"], cwd=copy, check=False)
    started = time.perf_counter()
    process = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    elapsed = time.perf_counter() - started
    if "dirty" in process.stderr or process.returncode == 2:
        tally.refused += 1
        return
    tally.seconds.append(elapsed)
    tally.told += process.returncode == 3
    lost = replace(case, project=copy).losses()
    if lost:
        tally.lossy += 1
        tally.silent += process.returncode == 0
        tally.examples.append(lost[0])


def measure(cases: int) -> tuple[dict[str, Tally], list[float]]:
    """Run every case with both tools; also the ratios of their times."""
    tallies = {name: Tally() for name in COMMANDS}
    ratios = []
    for seed in range(cases):
        with tempfile.TemporaryDirectory(prefix="mlmw-benchmark-") as temporary:
            folder = Path(temporary)
            case = make_case(folder, new, seed)
            before = {name: len(tally.seconds) for name, tally in tallies.items()}
            order = list(COMMANDS)
            random.Random(seed).shuffle(order)
            for name in order:
                copy = folder / name.partition(" ")[0] / "project"
                run(case, copy, COMMANDS[name], tallies[name])
            if all(len(tally.seconds) > before[name] for name, tally in tallies.items()):
                copier, mlmw = (tallies[name].seconds[-1] for name in COMMANDS)
                ratios.append(mlmw / copier)
    return tallies, ratios


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=200)
    cases = parser.parse_args().cases
    git = subprocess.run(["git", "--version"], capture_output=True, text=True, check=True)
    with tempfile.TemporaryDirectory(prefix="mlmw-home-") as home:
        os.environ |= {"HOME": home, "GIT_CONFIG_GLOBAL": os.devnull}
        os.environ |= {"GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.org"}
        os.environ |= {"GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "ada@example.org"}
        tallies, ratios = measure(cases)
    print(f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {cases} cases")
    print(f"Python {platform.python_version()}, copier {version('copier')}, {git.stdout.strip()}\n")
    print(f"{'command':14}  {'refused':>7}  {'lossy':>5}  {'of them exit 0':>14}  {'median':>7}")
    for name, tally in tallies.items():
        median = statistics.median(tally.seconds)
        counts = f"{tally.refused:7}  {tally.lossy:5}  {tally.silent:14}"
        print(f"{name:14}  {counts}  {median:5.2f} s")
    print(f"\nmlmw update told of conflicts in {tallies['mlmw update'].told} cases")
    ratio = statistics.median(ratios)
    print(f"time of mlmw update over copier update, median of the cases: {ratio:.2f}")
    print(json.dumps({name: tally.examples[:5] for name, tally in tallies.items()}, indent=2))


if __name__ == "__main__":
    main()

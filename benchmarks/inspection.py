"""Time and memory of `mlmw data inspect` beside pandas' `read_csv` of the same file.

    python benchmarks/inspection.py [--gigabytes 1] [--rounds 3] [--pandas PYTHON]

Both are whole processes and take turns. PYTHON is one that has pandas; by default this one.
Linux and macOS: the memory is what the system tells of a process that has ended.
"""

import argparse
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COLUMNS = "customer_id,email,age,income,country,since,newsletter,visits,note,plan,churned\n"
CHUNK = 20_000  # rows that are drawn, and written again and again with other numbers


def make(path: Path, size: int) -> int:
    """Write a file of mixed columns of at least `size` bytes; returns the number of rows."""
    draw = random.Random(0)
    tails = [
        f"{draw.randint(18, 90) if draw.random() > 0.05 else 'NA'},{draw.gauss(4e4, 9e3):.2f},"
        f"{draw.choice(['DE', 'FR', 'GB'])},20{draw.randint(10, 25)}-{draw.randint(1, 12):02}-01,"
        f'{draw.choice(["yes", "no"])},{draw.randint(0, 50)},"called, and wrote {draw.random()}",'
        f"{draw.choice('ABC')},{draw.choice(['yes', 'no', 'no'])}\n"
        for _ in range(CHUNK)
    ]
    rows = 0
    with path.open("w", encoding="utf-8") as file:
        file.write(COLUMNS)
        while file.tell() < size:
            file.writelines(
                f"{rows + n},u{rows + n}@example.org,{tail}" for n, tail in enumerate(tails)
            )
            rows += CHUNK
    return rows


def measure(command: list[str]) -> tuple[float, float, float]:
    """Wall seconds, CPU seconds and peak memory in MB of one process."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command[0]} ended with exit code {process.returncode}")
    unit = 1e6 if sys.platform == "darwin" else 1e3  # bytes there, kilobytes elsewhere
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / unit


def main() -> None:
    """Measure, and print the environment, the figures and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pandas", default=sys.executable, metavar="PYTHON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "customers.csv"
        rows = make(path, round(options.gigabytes * 1e9))
        print(f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, load", end=" ")
        print(f"{os.getloadavg()[0]:.1f}; {path.stat().st_size / 1e9:.2f} GB, {rows:,} rows")
        commands = {
            "pandas.read_csv": [
                options.pandas,
                "-c",
                f"import pandas; pandas.read_csv({str(path)!r})",
            ],
            "mlmw data inspect": [sys.executable, "-m", "mlmw", "data", "inspect", str(path)],
        }
        found = {name: [] for name in commands}
        for number in range(options.rounds):
            for name in list(commands)[:: 1 if number % 2 == 0 else -1]:
                found[name].append(measure(commands[name]))
    print(f"{'median of ' + str(options.rounds) + ' rounds':20}  wall s   CPU s  memory MB")
    for name, rounds in found.items():
        wall, cpu, memory = (statistics.median(one) for one in zip(*rounds, strict=True))
        print(f"{name:20} {wall:7.1f} {cpu:7.1f} {memory:10,.0f}")
    pairs = zip(*found.values(), strict=True)
    ratios = [[b / a for a, b in zip(one, two, strict=True)] for one, two in pairs]
    wall, cpu, memory = (statistics.median(one) for one in zip(*ratios, strict=True))
    print(f"{'ratio':20} {wall:7.2f} {cpu:7.2f} {memory:10.2f}")


if __name__ == "__main__":
    main()

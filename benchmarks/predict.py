"""How much memory and time `predict` takes for files of growing size.

    python benchmarks/predict.py PROJECT [--rows N ...]

PROJECT is a project with an environment (`make setup`) and a finished run (`make train`). Each file
repeats the examples of its newest run; each process is a new one, whose peak memory the system
reports. POSIX only.
"""

import argparse
import os
import platform
import subprocess
import tempfile
import time
from pathlib import Path


def write(source: Path, target: Path, rows: int) -> None:
    """Repeat the lines of a file until there are so many."""
    lines = source.read_text(encoding="utf-8").splitlines(keepends=True)
    with target.open("w", encoding="utf-8") as file:
        file.writelines(lines[number % len(lines)] for number in range(rows))


def measure(project: Path, source: Path, target: Path) -> tuple[float, float, float]:
    """Return the wall time and the processor time in seconds, and the peak memory in MB."""
    [package] = (path.parent.name for path in project.glob("src/*/__main__.py"))
    command = [".venv/bin/python", "-m", package, "predict", str(source), "--output", str(target)]
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=project)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}: exit code {process.returncode}")
    unit = 1e6 if platform.system() == "Darwin" else 1e3  # ru_maxrss: bytes there, else kB
    return time.perf_counter() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / unit


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("project", type=Path)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000, 100_000, 1_000_000])
    options = parser.parse_args()
    examples = sorted(options.project.glob("experiments/runs/*/examples.jsonl"))[-1]
    print(f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {examples}")
    print(f"{'rows':>9}  {'wall':>8}  {'processor':>9}  {'peak memory':>11}")
    with tempfile.TemporaryDirectory() as temporary:
        source, target = Path(temporary) / "in.jsonl", Path(temporary) / "out.csv"
        for rows in options.rows:
            write(examples, source, rows)
            wall, processor, memory = measure(options.project, source, target)
            with target.open(encoding="utf-8") as file:
                found = sum(1 for _ in file) - 1
            if found != rows:
                raise SystemExit(f"{found} predictions for {rows} rows")
            print(f"{rows:9,}  {wall:6.1f} s  {processor:7.1f} s  {memory:8.0f} MB", flush=True)


if __name__ == "__main__":
    main()

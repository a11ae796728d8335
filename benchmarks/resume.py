"""Kill a training many times, and compare the weights with those of an uninterrupted one.

    mlmw new /tmp/images --recipe cnn --defaults && cd /tmp/images && make setup
    .venv/bin/python PATH/TO/benchmarks/resume.py [--project .] [--kills N]

It runs the project's own test of ten kills with as many as are asked for.
"""

import argparse
import os
import platform
import subprocess
import sys
import time


def main() -> None:
    """Run the test, print the environment and the outcome, and leave with its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--project", default=".", help="a project with the cnn recipe")
    parser.add_argument("--kills", type=int, default=50)
    options = parser.parse_args()
    print(f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores")
    print(f"Python {platform.python_version()}, {options.kills} kills")
    started = time.perf_counter()
    outcome = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "tests/cnn", "-k", "killed_again_and_again"],
        cwd=options.project,
        env=os.environ | {"KILLS": str(options.kills)},
        check=False,
    )
    verdict = "the same weights" if outcome.returncode == 0 else "NOT the same weights"
    print(f"{verdict} after {options.kills} kills, in {time.perf_counter() - started:.0f} s")
    sys.exit(outcome.returncode)


if __name__ == "__main__":
    main()

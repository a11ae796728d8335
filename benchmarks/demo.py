"""From a fresh checkout to a trained model and a filled README: what `make demo` runs.

    python benchmarks/demo.py FOLDER

Each step is timed; the times are printed at the end. It can be run again, and is quick then. This
file needs nothing but Python, since its first steps install mlmw itself.
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
SCRIPTS = "Scripts" if os.name == "nt" else "bin"
OWN = ROOT / "build" / "mlmw"  # an environment with mlmw alone; all the tools take longer


def install() -> dict[str, list[str]]:
    """The commands that make an environment with mlmw, if there is none."""
    if (OWN / SCRIPTS).is_dir():
        return {}
    python = str(OWN / SCRIPTS / "python")
    if shutil.which("uv"):
        pip = ["uv", "pip", "install", "--compile-bytecode", "--python", python]
    else:
        pip = [python, "-m", "pip", "install"]
    return {
        "make an environment": [sys.executable, "-m", "venv", str(OWN)],
        "install mlmw into it": [*pip, "--quiet", "-e", str(ROOT)],
    }


def steps(project: Path) -> dict[str, list[str]]:
    """The commands, by what they do."""
    make = ["make", "--no-print-directory"]
    new = [
        str(OWN / SCRIPTS / "mlmw"),
        "new",
        str(project),
        "--name=My project",
        "--recipe=tabular",
    ]
    return install() | {
        "make the project": [*new, "--defaults"],
        "set the project up": [*make, "-C", str(project), "setup"],
        "train": [*make, "-C", str(project), "train"],
        "fill its README": [*make, "-C", str(project), "report"],
    }


def main() -> None:
    """Run the steps and print their times; a step that fails ends it with its exit code."""
    project = Path(sys.argv[1])
    times = {}
    for purpose, command in steps(project).items():
        if purpose == "make the project" and project.is_dir():
            continue
        print(f"\n--- {purpose} ---", flush=True)
        started = time.perf_counter()
        code = subprocess.run(command, cwd=ROOT).returncode
        times[purpose] = time.perf_counter() - started
        if code:
            sys.exit(code)
    print()
    for purpose, seconds in times.items():
        print(f"{seconds:7.1f} s  {purpose}")
    print(f"{sum(times.values()):7.1f} s  together")
    print(
        f"\nThe project is in {project}: begin with its README.md, which now shows these results."
    )


if __name__ == "__main__":
    main()

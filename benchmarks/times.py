"""How long a new project's first commands take, which `mlmw new` states at its end.

    python benchmarks/times.py [RECIPE ...]

For the baseline and for each recipe alone: `make setup` with uv and with the packages already on
this machine, `make train report`, `make test`. What counts is processor time, which other work on
the machine hardly changes. The results are written to generator/mlmw/times.json as they come; give
recipes to measure these again only. Not for Windows, which does not tell the time of children.
"""

import argparse
import datetime
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import uv

from mlmw.catalogue import choose, load_catalogue
from mlmw.times import COMMANDS, NONE, PATH, Times

TOOLS = os.pathsep.join([str(Path(uv.find_uv_bin()).parent), os.environ["PATH"]])


def used() -> float:
    """Processor time in seconds of all children that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def seconds(command: Sequence[str], folder: Path) -> float:
    """Processor time of one command in a folder; what it prints is shown only if it fails."""
    before = used()
    done = subprocess.run(
        command, cwd=folder, env=os.environ | {"PATH": TOOLS}, capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return round(used() - before, 1)


def main() -> None:
    """Measure, and write what `mlmw new` states."""
    catalogue = load_catalogue()
    choices = [recipe.name for recipe in catalogue if not recipe.implicit]
    parser = argparse.ArgumentParser(description="Measure a new project's first commands.")
    parser.add_argument("recipe", nargs="*")
    given = choose(parser.parse_args().recipe, catalogue)
    found = json.loads(PATH.read_text(encoding="utf-8"))["seconds"] if given else {}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        for command in COMMANDS:
            for name in given or [NONE, *choices]:
                project = Path(temporary) / name / "my-project"
                if not project.is_dir():
                    options = [] if name == NONE else [f"--recipe={name}"]
                    new = [sys.executable, "-m", "mlmw", "new", str(project), "--defaults"]
                    seconds([*new, *options], Path(temporary))
                found.setdefault(name, {})[command] = seconds(command.split(), project)
                print(f"{found[name][command]:7.1f} s  {name}: {command}", flush=True)
                times = Times(
                    measured=datetime.date.today().isoformat(),
                    on=f"{platform.system()} {platform.machine()}",
                    seconds=found,
                )
                PATH.write_text(json.dumps(times.__dict__, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

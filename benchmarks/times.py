"""How long a new project's first commands take, which `mlmw new` states at its end.

    python benchmarks/times.py [RECIPE ...]

For the baseline, each recipe alone, and all together: `make setup` with uv and with the packages
already on this machine, `make train report`, `make test`, one after the other. The results are
written to generator/mlmw/times.json; give recipes to measure these again only.
"""

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import uv

from mlmw.catalogue import choose, load_catalogue
from mlmw.times import COMMANDS, PATH, Times, estimate

TOOLS = os.pathsep.join([str(Path(uv.find_uv_bin()).parent), os.environ["PATH"]])


def seconds(command: Sequence[str], folder: Path) -> float:
    """Wall time of one command in a folder; what it prints is shown only if it fails."""
    started = time.perf_counter()
    done = subprocess.run(
        command, cwd=folder, env=os.environ | {"PATH": TOOLS}, capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return round(time.perf_counter() - started, 1)


def measure(recipes: Sequence[str]) -> dict[str, float]:
    """Seconds of each command in a fresh project with these recipes."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        project = Path(temporary) / "my-project"
        options = [f"--recipe={name}" for name in recipes]
        command = [sys.executable, "-m", "mlmw", "new", str(project), "--defaults", *options]
        seconds(command, Path(temporary))
        found = {command: seconds(command.split(), project) for command in COMMANDS}
    print(f"{', '.join(recipes) or 'none':40} {found}", flush=True)
    return found


def main() -> None:
    """Measure, write what is stated, and tell how well sums over recipes predict all together."""
    catalogue = load_catalogue()
    choices = [recipe.name for recipe in catalogue if not recipe.implicit]
    parser = argparse.ArgumentParser(description="Measure a new project's first commands.")
    parser.add_argument("recipe", nargs="*")
    wanted = choose(parser.parse_args().recipe, catalogue)
    known = json.loads(PATH.read_text(encoding="utf-8"))["seconds"] if wanted else {}
    found = {name: measure([name]) for name in choices if not wanted or name in wanted}
    none = known.get("none") or measure([])
    times = Times(
        measured=datetime.date.today().isoformat(),
        on=f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}",
        seconds={"none": none} | known | found,
    )
    PATH.write_text(json.dumps(times.__dict__, indent=2) + "\n", encoding="utf-8")
    together = measure(choices)
    for command, stated in estimate(choices, times).items():
        print(f"all, {command}: stated {stated:.0f} s, measured {together[command]:.0f} s")


if __name__ == "__main__":
    main()

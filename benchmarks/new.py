"""How long `mlmw new` takes beside `copier copy` of the same template, and beside other tools.

    python benchmarks/new.py [--rounds N] [--peers FOLDER] [--ccds TEMPLATE]

Whole processes, one after the other, in rounds that alternate between them, so that a slow minute
of the machine hits all alike. Each ratio is the median of the rounds' own ratios.

The other tools are in an environment of their own: `python -m venv FOLDER`, then
`FOLDER/bin/pip install cookiecutter-data-science kedro`. The template of cookiecutter-data-science
is not in its package: without a checkout of it, its tool renders one file, which is the least that
it can take.
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
from mlmw.catalogue import load_catalogue
from mlmw.template import template_root

OFFLINE = {"DO_NOT_TRACK": "1", "KEDRO_DISABLE_TELEMETRY": "1"}


def commands(peers: Path | None, ccds: Path) -> dict[str, list[str]]:
    """What is compared, the reference first."""
    recipes = ",".join(recipe.name for recipe in load_catalogue() if not recipe.implicit)
    mlmw = [sys.executable, "-m", "mlmw"]
    new = [*mlmw, "new", "my-project", "--recipe", recipes, "--defaults"]
    copy = [sys.executable, "-m", "copier", "copy", "--quiet", "--defaults", "--vcs-ref=HEAD"]
    chosen = {
        "copier copy": [*copy, f"--data=recipes=[{recipes}]", str(template_root()), "my-project"],
        "mlmw new --no-git": [*new, "--no-git"],
        "mlmw new": new,
        "mlmw --help": [*mlmw, "--help"],
        "mlmw recipes": [*mlmw, "recipes"],
        "python -c pass": [sys.executable, "-c", "pass"],
        "import typer": [sys.executable, "-c", "import typer"],
    }
    if peers:
        scripts = peers / ("Scripts" if os.name == "nt" else "bin")
        plain = ["--tools", "none", "--example", "n", "--telemetry", "no"]
        chosen["kedro new"] = [str(scripts / "kedro"), "new", "--name", "My project", *plain]
        chosen["ccds"] = [str(scripts / "ccds"), "--no-input", str(ccds)]
    return chosen


def one_file(folder: Path) -> Path:
    """Make a template of one file for cookiecutter-data-science."""
    content = folder / "{{ cookiecutter.repo_name }}"
    content.mkdir(parents=True)
    (content / "README.md").write_text("# {{ cookiecutter.repo_name }}\n", encoding="utf-8")
    for name in ("ccds.json", "cookiecutter.json"):
        (folder / name).write_text('{"repo_name": "my-project"}\n', encoding="utf-8")
    return folder


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


def measure(rounds: int, peers: Path | None, ccds: Path | None) -> dict[str, list[float]]:
    """Seconds of each command in each round; every other round goes backwards."""
    with tempfile.TemporaryDirectory() as temporary:
        chosen = commands(peers, ccds or one_file(Path(temporary) / "template"))
        times: dict[str, list[float]] = {name: [] for name in chosen}
        environment = os.environ | {"HOME": temporary} | OFFLINE
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
    print(f"mlmw {mlmw.__version__}, template: {kind}, byte-compiled")
    print("load average at the start:", *(f"{load:.1f}" for load in os.getloadavg()), "\n")


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--peers", type=Path, help="an environment with kedro and ccds")
    parser.add_argument("--ccds", type=Path, help="a checkout of cookiecutter-data-science")
    options = parser.parse_args()
    peers = options.peers and options.peers.absolute()
    for folder in (sysconfig.get_path("purelib"), Path(mlmw.__file__).parent, peers):
        if folder:
            compileall.compile_dir(str(folder), quiet=2)
    print_environment(options.rounds)
    times = measure(options.rounds, peers, options.ccds and options.ccds.absolute())
    reference, *_ = times
    print(f"{'command':20}  {'median':>8}  {'fastest':>8}  ratio to {reference}")
    for name, measured in times.items():
        pairs = zip(measured, times[reference], strict=True)
        ratio = statistics.median(ours / theirs for ours, theirs in pairs)
        median, fastest = statistics.median(measured), min(measured)
        print(f"{name:20}  {median:6.3f} s  {fastest:6.3f} s  {ratio:.2f}")


if __name__ == "__main__":
    main()

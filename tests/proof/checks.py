"""What is checked in each project, one function for each kind of check.

A check has a name, which says what it runs, and raises `Failed` with what was printed.
"""

import json
import re
import shlex
import shutil
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from projects import OWN, PACKAGE, ROOT, Project, choices, layers, of_data

from proof.commands import ELSEWHERE, commands
from proof.environment import Packages, tool_environment
from proof.evidence import Subject
from proof.modules import files, modules

# Where the tests keep what they make once, such as an empty database of Prefect's.
CACHE = ROOT / "build" / "pytest"
MYPY = threading.Lock()  # one at a time may write its cache
IMPORT_ALL = f"""
import importlib, pkgutil, sys, {PACKAGE} as package
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
sys.argv[1:] = ["--help"]
package.cli.run()
"""
VALIDATE_NOTEBOOKS = """
import pathlib, nbformat
for path in pathlib.Path("notebooks").glob("*.ipynb"):
    nbformat.validate(nbformat.read(path, as_version=4))
"""


class Failed(Exception):
    """What a check printed when it failed."""


@dataclass
class Workplace:
    """Where one check of one project runs: its traces, and the copies that it makes."""

    project: Project
    temporary: Path
    copies: list[Path] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def traces(self) -> Path:
        """The folder into which the processes write what they read."""
        return self.temporary / "traces"

    @property
    def environment(self) -> dict[str, str]:
        """The variables of every process of the check."""
        return (
            tool_environment()
            | self.variables
            | {
                "PROOF_TRACE": str(self.traces),
                "TMPDIR": str(self.temporary),
                # As many checks run at once as there are cores.
                "OMP_NUM_THREADS": "1",
                "PYTHONUTF8": "1",
                "PYTHONDONTWRITEBYTECODE": "1",
            }
        )

    def run(self, *arguments: str, cwd: Path | None = None, errors: bool = True) -> str:
        """Run the project's Python and return what it printed; `Failed` where that fails.

        With `errors` what was printed as an error or a log is part of it.
        """
        outcome = subprocess.run(
            [self.project.python, *arguments],
            cwd=cwd or self.project.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if errors else subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
        if outcome.returncode:
            raise Failed(f"$ python {' '.join(arguments)}\n{outcome.stdout}{outcome.stderr or ''}")
        return outcome.stdout

    @contextmanager
    def serving(self, folder: Path) -> Iterator[str]:
        """The address of the project's service, run in `folder`."""
        log = self.temporary / "serve.log"
        with (
            log.open("w") as file,
            subprocess.Popen(
                [self.project.python, "-m", PACKAGE, "serve", "--port", "0"],
                cwd=folder,
                env=self.environment,
                stdout=file,
                stderr=file,
            ) as process,
        ):
            try:
                while not (found := re.search(r"running on (http://[^ ]+)", log.read_text())):
                    if process.poll() is not None:
                        raise Failed(log.read_text())
                    time.sleep(0.1)
                yield found[1]
            except OSError as error:
                raise Failed(f"{error}\n{log.read_text()}") from None
            finally:
                process.terminate()

    def read(self, name: str) -> str:
        """A text of the project."""
        return (self.project.folder / name).read_text(encoding="utf-8")

    def copy(self) -> Path:
        """A copy of the project without its source, tests and caches, to train in."""
        target = self.temporary / "copy"
        ignored = shutil.ignore_patterns(*OWN, "src", "tests")
        shutil.copytree(self.project.folder, target, ignore=ignored)
        self.copies.append(target)
        return target


@contextmanager
def workplace(project: Project) -> Iterator[Workplace]:
    """Make the folders of a check, and remove them after it."""
    with TemporaryDirectory(prefix="proof-", ignore_cleanup_errors=True) as temporary:
        place = Workplace(project, Path(temporary))
        place.traces.mkdir()
        yield place


def style(place: Workplace) -> None:
    """Ruff, and what can be said about Python and notebooks without running them."""
    place.run("-m", "ruff", "check", "--no-cache", ".")
    place.run("-m", "ruff", "format", "--check", "--no-cache", ".")
    place.run("-c", VALIDATE_NOTEBOOKS)


def types(place: Workplace) -> None:
    """The strict type check. One cache serves all projects, as their packages are the same."""
    with MYPY:
        place.run("-m", "mypy", "--cache-dir", str(ROOT / "build" / "mypy"))


def imports(place: Workplace) -> None:
    """Each module can be imported, so each import is declared; the help has each command."""
    printed = place.run("-c", IMPORT_ALL)
    if missing := [
        one for one in place.project.commands if not re.search(rf"^ +{one} ", printed, re.M)
    ]:
        raise Failed(f"the help lacks {missing}:\n{printed}")


def train(place: Workplace, copy: Path, workload: str) -> Path:
    """Train a workload in a copy of the project, and return the folder of its run."""
    return copy / place.run("-m", PACKAGE, "train", workload, cwd=copy).splitlines()[-1]


def shown(project: Project) -> list[str]:
    """The commands that a project's README shows, but those that are listed as run elsewhere."""
    readme, makefile = (
        (project.folder / name).read_text(encoding="utf-8") for name in ("README.md", "Makefile")
    )
    return [one for one in commands(readme, makefile) if one not in ELSEWHERE]


def use(place: Workplace) -> None:
    """Run what the README shows; each workload beats its baseline and can be asked."""
    copy = place.copy()
    for command in shown(place.project):
        words = shlex.split(command.replace("my_project", PACKAGE))
        run = max(copy.glob(f"experiments/runs/{place.project.workloads[0]}-*"), default=copy)
        files = {"FILE": str(run / "examples.jsonl"), "RUN": str(run)}
        place.run(*(files.get(word, word) for word in words[1:]), cwd=copy)
    for workload in place.project.workloads:
        [run] = copy.glob(f"experiments/runs/{workload}-*")
        beats_baseline(run)
        output = copy / "OUT.csv"  # of the first workload, as the README predicts
        if workload != place.project.workloads[0]:
            where = ["--workload", workload, "--output", str(output)]
            place.run("-m", PACKAGE, "predict", str(run / "examples.jsonl"), *where, cwd=copy)
        if not output.read_text(encoding="utf-8").startswith("prediction,"):
            raise Failed(f"{workload}: no predictions in {output.read_text(encoding='utf-8')}")
    readme = (copy / "README.md").read_text(encoding="utf-8")
    missing = [one for one in place.project.workloads if not (copy / "reports" / one).is_dir()]
    if "Not trained yet" in readme or missing:
        raise Failed(f"README.md: not filled by `report`; no pictures for {missing}")


def beats_baseline(run: Path) -> None:
    """Compare what a run measured with the trivial answer."""
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    metric = json.loads((run / "metadata.json").read_text(encoding="utf-8"))["primary_metric"]
    if not metrics["test"][metric] > metrics["baseline"][metric]:
        raise Failed(f"{run.name}: {metric} does not beat the baseline: {metrics}")


def serve(place: Workplace) -> None:
    """Train, by the flow where there is one; serve, and get over HTTP what `predict` gives."""
    copy, workload = place.copy(), place.project.workloads[0]
    if "flow" in place.project.commands:
        with_database(copy)
        run = promoted(place, copy, workload)
    else:
        run = train(place, copy, workload)
    if place.project == of_data()[0]:
        ask_own_data(place, copy)
    compare_served(place, copy, run)
    beats_baseline(run)


def with_database(copy: Path) -> None:
    """Give Prefect the empty database of the tests, if it is there; the check `flow` makes one."""
    for made in CACHE.glob("d/prefect/*.db"):
        (copy / ".prefect").mkdir(exist_ok=True)
        shutil.copy(made, copy / ".prefect/prefect.db")


def ask_own_data(place: Workplace, copy: Path) -> None:
    """Run the commands of a project that is made for a file."""
    place.run("-m", PACKAGE, "check-data", cwd=copy)
    place.run("-m", PACKAGE, "sample", "--count", "3", "--output", "row.jsonl", cwd=copy)
    printed = place.run("-m", PACKAGE, "predict", "row.jsonl", cwd=copy, errors=False)
    if len(printed.splitlines()) != 3:
        raise Failed(f"three rows, but the answers are {printed}")


def flow(place: Workplace) -> None:
    """Run the flow twice, the second time from its cache."""
    copy, workload = place.copy(), place.project.workloads[0]
    run = promoted(place, copy, workload)
    scoring = ["--score", str(run / "examples.jsonl"), "--output", "scored.jsonl"]
    again = place.run("-m", PACKAGE, "flow", workload, *scoring, cwd=copy)
    if again.count("Cached") < 2:
        raise Failed(f"the second flow did not take train and evaluate from the cache:\n{again}")
    listed = place.run("-m", PACKAGE, "runs", cwd=copy).splitlines()
    champions = [line.split()[1] for line in listed if line.startswith("*")]
    if champions != [run.name]:
        raise Failed(f"the flow promoted {run.name}, but the champion is {champions}")


def promoted(place: Workplace, copy: Path, workload: str) -> Path:
    """Run the flow in a copy of the project, and return the folder of the only run it made."""
    place.run("-m", PACKAGE, "flow", workload, cwd=copy)
    [metadata] = (copy / "experiments/runs").glob(f"{workload}-*/metadata.json")
    return metadata.parent


def compare_served(place: Workplace, copy: Path, run: Path) -> None:
    """Ask the service for the examples of a run, of which it must have taken the model."""
    workload, examples = place.project.workloads[0], run / "examples.jsonl"
    options = ["--workload", workload, "--run", str(run)]
    offline = place.run("-m", PACKAGE, "predict", str(examples), *options, cwd=copy, errors=False)
    with place.serving(copy) as address:
        request = urllib.request.Request(
            f"{address}/predict",
            b"[" + b",".join(examples.read_bytes().splitlines()) + b"]",
            {"Content-Type": "application/json"},
        )
        answers = ask(request)
        for row in re.findall(r"^curl .* -d '(.*)' ", place.read("README.md"), flags=re.MULTILINE):
            request.data = row.encode()
            ask(request)
    model = json.loads((run / "metadata.json").read_text(encoding="utf-8"))["model_sha256"]
    for line, answer in zip(offline.splitlines(), answers, strict=True):
        wanted = json.loads(line)
        if any(answer[name] != wanted[name] for name in wanted):
            raise Failed(f"served {answer}, but offline {wanted}")
        if not model.startswith(answer["model_version"]):
            raise Failed(f"served by {answer['model_version']} instead of {model}")


def ask(request: urllib.request.Request) -> Any:
    """Send a request until the service has its model, and return the answer."""
    while True:
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            if error.code != 503:
                raise
            time.sleep(0.5)


@dataclass(frozen=True)
class Check:
    """A check by name; with `parts` it judges each of them by itself, else it is traced.

    `asked` is what it does where that depends on the project by more than the files it reads.
    """

    name: str
    run: Callable[[Workplace], None]
    asked: tuple[str, ...] = ()
    parts: Callable[[Subject, Packages], set[str]] | None = None


def tests(name: str, *units: str) -> Check:
    """The check that runs files and folders of the project's own tests in one process.

    Without the plugins that some layer brought along, so that the others' tests are the same.
    """

    paths = tuple(f"tests/{unit}" for unit in units)

    def run(place: Workplace) -> None:
        place.variables["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        pytest(place, *paths)

    return Check(f"tests/{name}", run, paths)


def everything(place: Workplace) -> None:
    """All of the project's own tests in one process, as `make test` runs them."""
    pytest(place)


def pytest(place: Workplace, *arguments: str) -> None:
    """Run tests; one that is skipped is a failure."""
    printed = place.run("-m", "pytest", "-q", "-rs", "-o", f"cache_dir={CACHE}", *arguments)
    if "skipped" in printed.splitlines()[-1]:
        raise Failed(printed)


def checks(project: Project, full: bool) -> list[Check]:
    """The checks of a project; with `full`, and in one with each layer, its tests run together."""
    found = [
        Check("style", style, parts=partial(files, tool="ruff")),
        Check("types", types, parts=partial(modules, tool="mypy")),
        Check("imports", imports, parts=partial(modules, tool="pytest")),
        Check("use", use, tuple(shown(project))),
    ]
    own = {"flow": flow, "serve": serve}
    way = ("flow",) if "flow" in project.commands else ("train",)
    found += [Check(name, own[name], way) for name in own if name in project.commands]
    if project.data:  # the rest does not ask for its data, and is proved in other projects
        notebooks = ["test_notebooks.py"] if project == of_data()[0] else []
        own_tests = [tests(name, name) for name in ["own_data", *notebooks]]
        return [*(one for one in found if one.name != "use"), *own_tests]
    of_layers = {layer.name for layer in layers(choices()) if layer.kind != "workload"}
    if full or set(project.recipes) == of_layers.intersection(choices()):
        return [*found, Check("tests", everything)]
    units = sorted(unit.name for unit in (project.folder / "tests").iterdir())
    folders = [unit for unit in units if "." not in unit and unit not in OWN]
    # What asks for every workload, in one process: each is trained once for all of it.
    together = [unit for unit in units if unit.startswith("test_") or unit in project.workloads]
    # What a layer brought along beside the last one that was chosen, for the same reason.
    brought = [layer.name for layer in layers(project.recipes) if layer.implicit]
    brought = [unit for unit in folders if unit in brought and unit not in together]
    groups = [[unit] for unit in folders if unit not in {*together, *brought}] or [[]]
    groups[-1] += brought
    processes = {"workloads": together} | {group[0]: group for group in groups if group}
    return [*found, *(tests(name, *group) for name, group in processes.items())]

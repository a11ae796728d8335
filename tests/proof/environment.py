"""Environments that hold what a project declares, and nothing else.

The project with every recipe sets itself up, as its README says. All others take their packages
from there, by hard links and only those that their own pyproject.toml asks for, directly or
through another package: two seconds instead of minutes, and an undeclared import still fails.
"""

import contextlib
import hashlib
import importlib.metadata
import os
import shutil
import subprocess
import sys
import tomllib
import venv
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path

import uv
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from projects import Project

from proof import trace

TRACE = Path(trace.__file__)
UV = uv.find_uv_bin()  # now, as Python's own table of paths is not made for several threads


def tool_environment() -> dict[str, str]:
    """The variables for a project's own commands: uv is at hand, those of what runs now are not."""
    # MAKE: below another make, a project's make would print which folder it enters.
    foreign = ("PYTEST", "COV_", "PYTHONPATH", "VIRTUAL_ENV", "PROOF_", "MAKE", "MFLAGS")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    if "PIP_FIND_LINKS" in kept:  # uv looks for packages where pip was told to look
        kept.setdefault("UV_FIND_LINKS", kept["PIP_FIND_LINKS"])
    return kept | {"PATH": os.pathsep.join([os.path.dirname(UV), kept.get("PATH", "")])}


def site_packages(python: Path) -> Path:
    """Where the packages of an environment are."""
    found = python.parents[1] / "Lib" / "site-packages"
    if os.name != "nt":
        found = python.parents[1] / f"lib/python3.{sys.version_info.minor}/site-packages"
    return found


class Packages:
    """The distributions of an environment, by their canonical names."""

    def __init__(self, python: Path) -> None:
        self.folder = site_packages(python)
        found = importlib.metadata.distributions(path=[str(self.folder)])
        self.by_name = {str(canonicalize_name(one.name)): one for one in found}
        # Once: for each question the library parses the package's whole description.
        self._versions = {name: one.version for name, one in self.by_name.items()}
        self._files: dict[str, list[str]] = {}
        self._brought: dict[str, set[str]] = {}

    def closure(self, requirements: Iterable[str]) -> set[str]:
        """The names of all distributions that these requirements bring along.

        A `LookupError` names a requirement that the environment lacks.
        """
        names: set[str] = set()
        waiting = [(Requirement(text), "") for text in requirements]
        done = set()
        while waiting:
            requirement, extra = waiting.pop()
            if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
                continue
            name = canonicalize_name(requirement.name)
            if name not in self.by_name:
                raise LookupError(f"{requirement}: is not in {self.folder}")
            names.add(name)
            for wanted in {"", *requirement.extras}:
                if (name, wanted) not in done:
                    done.add((name, wanted))
                    needs = self.by_name[name].requires or []
                    waiting += [(Requirement(text), wanted) for text in needs]
        return names

    def brought_by(self, name: str) -> set[str]:
        """The names of a distribution and of all that it brings along."""
        if name not in self._brought:
            self._brought[name] = self.closure([name])
        return self._brought[name]

    def files(self, name: str) -> list[str]:
        """The files of a distribution that exist, relative to the packages' folder.

        With what Python has compiled of them, which not every installer records.
        """
        if name not in self._files:
            recorded = {os.path.normpath(file) for file in self.by_name[name].files or []}
            folders = {os.path.dirname(file) for file in recorded if file.endswith(".py")}
            found = {
                os.path.join(folder, "__pycache__", compiled)
                for folder in folders
                for compiled in self._compiled(folder)
                if os.path.join(folder, f"{compiled.split('.')[0]}.py") in recorded
            }
            exists = self.folder.joinpath
            self._files[name] = [file for file in recorded | found if exists(file).is_file()]
        return self._files[name]

    def _compiled(self, folder: str) -> list[str]:
        try:
            return os.listdir(self.folder / folder / "__pycache__")
        except FileNotFoundError:
            return []

    @cached_property
    def owners(self) -> dict[str, str]:
        """For each file, relative to the packages' folder, the distribution that brought it."""
        return {
            os.path.normpath(file): name
            for name, distribution in self.by_name.items()
            for file in distribution.files or []
        }

    @cached_property
    def _tops(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for file, owner in self.owners.items():
            top = file.split(os.sep)[0].split(".")[0].removesuffix("-stubs")
            found.setdefault(top, set()).add(owner)
        return found

    def providers(self, names: Iterable[str]) -> set[str]:
        """The distributions that bring the given top-level packages, or their types."""
        return {owner for name in names for owner in self._tops.get(name, ())}

    def versions(self, names: Iterable[str]) -> list[str]:
        """`name==version` of the given distributions, sorted."""
        return sorted(f"{name}=={self._versions[name]}" for name in names)


def requirements(files: Mapping[str, bytes]) -> list[str]:
    """What a project declares, for running and for development."""
    project = tomllib.loads(files["pyproject.toml"].decode())["project"]
    return [*project["dependencies"], *project["optional-dependencies"]["dev"]]


def set_up(project: Project) -> None:
    """Let a project set itself up, by `make setup` or by what its README gives instead."""
    if shutil.which("make"):
        command = ["make", "--no-print-directory", "setup"]
        subprocess.run(command, cwd=project.folder, env=tool_environment(), check=True)
    elif not project.python.exists():
        venv.create(project.folder / ".venv", with_pip=True)
        pip = [str(project.python), "-m", "pip", "install", "-c", "envs/constraints.txt"]
        subprocess.run([*pip, "-e", ".[dev]"], cwd=project.folder, check=True)
    install_trace(project)


def derive(project: Project, packages: Packages, names: set[str]) -> None:
    """Make the environment of a project from another one; nothing where it is made already."""
    content = [*packages.versions(names), sys.version, str(packages.folder), project.label]
    stamp = hashlib.sha256("\n".join(content).encode()).hexdigest()
    marker = project.folder / ".venv" / "stamp"
    if not marker.exists() or marker.read_text() != stamp:
        shutil.rmtree(project.folder / ".venv", ignore_errors=True)
        venv.create(project.folder / ".venv", symlinks=os.name != "nt")
        for name in names:
            link(packages, name, project)
        install_itself(project)
        marker.write_text(stamp)
    install_trace(project)


def link(packages: Packages, name: str, project: Project) -> None:
    """Link the files of one distribution, with what Python has compiled of them."""
    source, target = str(packages.folder), str(site_packages(project.python))
    scripts, made = str(project.python.parent), set()
    for file in packages.files(name):
        place = os.path.normpath(os.path.join(target, file))
        folder = os.path.dirname(place)
        if folder not in made:
            os.makedirs(folder, exist_ok=True)
            made.add(folder)
        if folder == scripts:
            copy_script(Path(source, file), Path(place), project.python)
        else:
            with contextlib.suppress(FileExistsError):  # two distributions may share a file
                os.link(os.path.join(source, file), place)


def copy_script(source: Path, place: Path, python: Path) -> None:
    """Copy a console script, so that it starts the Python of its new environment."""
    content = source.read_bytes()
    first, newline, rest = content.partition(b"\n")
    if first.startswith(b"#!") and b"python" in first:
        content = f"#!{python}".encode() + newline + rest
    place.write_bytes(content)
    shutil.copymode(source, place)


def install_itself(project: Project) -> None:
    """Install the project as its own set-up does, for editing and without dependencies."""
    uv_pip = [UV, "pip", "install", "--quiet", "--python", str(project.python)]
    command = [*uv_pip, "--no-deps", "-e", "."]
    subprocess.run(command, cwd=project.folder, env=tool_environment(), check=True)


def install_trace(project: Project) -> None:
    """Let each start of the environment's Python import the trace."""
    folder = site_packages(project.python)
    shutil.copy(TRACE, folder / "proof_trace.py")
    (folder / "proof_trace.pth").write_text("import proof_trace\n")

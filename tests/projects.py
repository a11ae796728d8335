"""One real project for every combination of recipes, set up as its README says.

    python tests/projects.py

renders each combination below `build/projects/` and runs its own set-up there. `make test` does
this before the tests, which then need no network. A second run only touches what has changed.
"""

import itertools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mlmw.catalogue import Recipe, load_catalogue

ROOT = Path(__file__).parents[1]
PROJECTS = ROOT / "build" / "projects"
# What a project makes of its own; everything else is compared with a fresh render.
ARTEFACTS = {"__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".DS_Store"}
OWN = {".venv", *ARTEFACTS}
# Kinds of which every project has a layer, as copier.yml says.
SLOTS = {"workload", "tracking"}


def combinations() -> list[tuple[str, ...]]:
    """Every set of recipes that can be chosen, the empty one first."""
    names = [recipe.name for recipe in load_catalogue() if not recipe.implicit]
    return [
        chosen for count in range(len(names) + 1) for chosen in itertools.combinations(names, count)
    ]


def label(recipes: Sequence[str]) -> str:
    """A combination as the name of a folder and of a test."""
    return "-".join(recipes) or "none"


def layers(recipes: Sequence[str]) -> list[Recipe]:
    """The layers of a combination: chosen, required, and implicit where a slot is empty."""
    catalogue = load_catalogue()
    wanted = set(recipes)
    for recipe in catalogue:
        wanted |= set(recipe.requires) if recipe.name in wanted else set()
    kinds = {recipe.kind for recipe in catalogue if recipe.name in wanted}
    return [
        recipe
        for recipe in catalogue
        if recipe.name in wanted
        or (recipe.implicit and recipe.kind in SLOTS and recipe.kind not in kinds)
    ]


@dataclass(frozen=True)
class Project:
    """A rendered project with an environment of its own, which holds what it declares only."""

    recipes: tuple[str, ...]

    @property
    def folder(self) -> Path:
        """Where it is."""
        return PROJECTS / label(self.recipes)

    @property
    def python(self) -> Path:
        """The interpreter of its environment."""
        scripts = "Scripts/python.exe" if os.name == "nt" else "bin/python"
        return self.folder / ".venv" / scripts

    @property
    def title(self) -> str:
        """A name that is not the folder's, with an accent and blanks, as people give them."""
        return f"Größe {' '.join(self.recipes)}".strip()

    def render(self, folder: Path) -> None:
        """Make the project in `folder`, through the command line."""
        recipes = [f"--recipe={name}" for name in self.recipes]
        command = [sys.executable, "-m", "mlmw", "new", str(folder), "--name", self.title]
        options = ["--defaults", "--no-git", *recipes]
        subprocess.run([*command, *options], check=True, stdout=subprocess.DEVNULL)

    def files(self, folder: Path | None = None) -> dict[Path, bytes]:
        """The rendered files below `folder`, without what a project makes of its own."""
        folder = folder or self.folder
        return {
            path.relative_to(folder): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file()
            and not OWN & set(path.relative_to(folder).parts)
            and path.name != ".copier-answers.yml"
        }

    def prepare(self) -> None:
        """Bring the folder up to date with the template, then run the project's set-up."""
        with tempfile.TemporaryDirectory() as temporary:
            fresh = Path(temporary) / "project"
            self.render(fresh)
            wanted, present = self.files(fresh), self.files() if self.folder.exists() else {}
            for name in present.keys() - wanted.keys():
                (self.folder / name).unlink()
            for name in [name for name in wanted if wanted[name] != present.get(name)]:
                (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(fresh / name, self.folder / name)
        if shutil.which("make"):
            subprocess.run(["make", "--no-print-directory", "setup"], cwd=self.folder, check=True)
        elif not self.python.exists():
            subprocess.run([sys.executable, "-m", "venv", self.folder / ".venv"], check=True)
            pip = [self.python, "-m", "pip", "install", "-c", "envs/constraints.txt"]
            subprocess.run([*pip, "-e", ".[dev]"], cwd=self.folder, check=True)

    def run(self, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run the project's Python, by default in its folder; what it printed is kept."""
        return subprocess.run(
            [self.python, *arguments],
            cwd=cwd or self.folder,
            env=clean_environment(),
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )


def clean_environment() -> dict[str, str]:
    """The environment without what the tests' own Python and runner put there."""
    foreign = ("PYTEST", "COV_", "PYTHONPATH", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if not name.startswith(foreign)}


if __name__ == "__main__":
    for number, recipes in enumerate(combinations(), start=1):
        print(f"project {number} of {len(combinations())}: {label(recipes)}", flush=True)
        Project(recipes).prepare()

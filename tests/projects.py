"""The combinations of recipes, and the project that each one gives."""

import itertools
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from datasets import DATASETS

from mlmw import own_data
from mlmw.catalogue import Recipe, load_catalogue
from mlmw.inspection.inspect import inspect
from mlmw.inspection.roles import Choices
from mlmw.render import render

ROOT = Path(__file__).parents[1]
PROJECTS = ROOT / "build" / "projects"
# What a project makes of its own; everything else is compared with a fresh render.
ARTEFACTS = {"__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".DS_Store"}
OWN = {".venv", *ARTEFACTS}
# Kinds of which every project has a layer, as copier.yml says.
SLOTS = {"workload", "tracking"}
# Not the name of the folder, and with all that people put into a title.
TITLE = "Größen-Übersicht 7 für Straßen & Wärme"
PACKAGE = "grossen_ubersicht_7_fur_strassen_warme"


def choices() -> list[str]:
    """The names of the recipes that can be chosen, in the catalogue's order."""
    return [recipe.name for recipe in load_catalogue() if not recipe.implicit]


def combinations() -> list[tuple[str, ...]]:
    """Every set of recipes that can be chosen, the smaller ones first."""
    names = choices()
    return [
        chosen for count in range(len(names) + 1) for chosen in itertools.combinations(names, count)
    ]


# Of their own data: what is made for a file, beside a layer that asks for its fields.
OF_DATA = ("tabular", "serving")


def label(recipes: Sequence[str]) -> str:
    """A combination as the name of a folder and of a test."""
    return "-".join(recipes) or "none"


def layers(recipes: Sequence[str], data: str = "") -> list[Recipe]:
    """The layers of a combination: chosen, required, and implicit where a slot is empty."""
    catalogue = load_catalogue()
    wanted = {*recipes, *(["own-data"] if data else [])}
    for recipe in catalogue:
        wanted |= set(recipe.requires) if recipe.name in wanted else set()
    kinds = {recipe.kind for recipe in catalogue if recipe.name in wanted}
    return [
        recipe
        for recipe in catalogue
        if recipe.name in wanted
        or (recipe.implicit and recipe.kind in SLOTS and recipe.kind not in kinds)
    ]


@contextmanager
def template_copy() -> Iterator[Path]:
    """A copy of the template as it is now, without its repository: Copier need not clone it."""
    with TemporaryDirectory() as folder:
        root = Path(folder) / "mlmw"
        ignored = shutil.ignore_patterns(*ARTEFACTS)
        for name in ("template", "recipes"):
            shutil.copytree(ROOT / name, root / name, ignore=ignored)
        for name in ("copier.yml", "generator/mlmw/reserved-names.yml"):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, root / name)
        yield root


def rendered_files(folder: Path) -> dict[str, bytes]:
    """The files below `folder`, without the answers and what a project makes of its own."""
    found = {}
    for base, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in OWN]
        for path in (Path(base, name) for name in names):
            if path.name not in {".copier-answers.yml", *OWN}:
                found[path.relative_to(folder).as_posix()] = path.read_bytes()
    return found


@dataclass(frozen=True)
class Project:
    """The project of one combination, kept below build/ with an environment of its own.

    `data` is one of DATASETS, for which the project is made; empty without.
    """

    recipes: tuple[str, ...]
    data: str = field(default="", kw_only=True)

    @property
    def label(self) -> str:
        """Its name in tables, and that of its folder."""
        return label(self.recipes) + (f"-{self.data.partition('.')[0]}" if self.data else "")

    @property
    def folder(self) -> Path:
        """Where it is."""
        return PROJECTS / self.label

    @property
    def python(self) -> Path:
        """The interpreter of its environment."""
        scripts = "Scripts/python.exe" if os.name == "nt" else "bin/python"
        return self.folder / ".venv" / scripts

    @property
    def workloads(self) -> list[str]:
        """Its workloads, the first one being the default of its commands."""
        found = layers(self.recipes, self.data)
        return [layer.name for layer in found if layer.kind == "workload"]

    @property
    def commands(self) -> set[str]:
        """The commands that its layers add."""
        return {name for layer in layers(self.recipes, self.data) for name in layer.commands}

    def render(self, template: Path) -> dict[str, bytes]:
        """Bring the folder up to date with the template; what did not change is not touched."""
        with TemporaryDirectory() as temporary:
            fresh = Path(temporary) / "project"
            answers: dict[str, object] = {"recipes": list(self.recipes), "project_name": TITLE}
            if self.data:
                target, make = DATASETS[self.data]
                file = Path(temporary) / self.data
                file.write_bytes(make())
                facts = own_data.facts(str(file), "copy") | {"origin": self.data}
                answers[own_data.QUESTION] = inspect(str(file), Choices(target)) | facts
            render(template, fresh, answers)
            if self.data:
                own_data.bring(str(file), "copy", fresh)
            wanted = rendered_files(fresh)
        present = rendered_files(self.folder) if self.folder.exists() else {}
        for name in present.keys() - wanted.keys():
            (self.folder / name).unlink()
        for name in [name for name in wanted if wanted[name] != present.get(name)]:
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(wanted[name])
        return wanted


def of_data() -> list[Project]:
    """The projects that are made for a file."""
    return [Project(OF_DATA, data=name) for name in DATASETS]

"""The catalogue of recipes: each is one folder below recipes/, described by its recipe.yml."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

from mlmw.errors import Refusal, suggestion
from mlmw.template import template_root


@dataclass(frozen=True)
class Recipe:
    """One layer of a project, with the fields of its recipe.yml."""

    name: str
    title: str
    summary: str
    kind: str
    implicit: bool
    requires: list[str]
    dependencies: list[str]
    dev_dependencies: list[str]
    commands: dict[str, str]
    files: list[str]
    extras: dict[str, list[str]] = field(default_factory=dict)
    tools: list[str] = field(default_factory=list)  # programs that it can use: docker, gpu

    @property
    def joins(self) -> str:
        """When an implicit recipe is part of a project, in words."""
        return "joins by itself where it is needed"


def load_catalogue(root: Path | None = None) -> list[Recipe]:
    """Read every recipe, in the order in which copier.yml includes them."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    root = root or template_root()
    config = (root / "copier.yml").read_text(encoding="utf-8")
    recipes = []
    names = [one.name for one in fields(Recipe)]  # another version's recipes may say more
    for path in re.findall(r"!include (recipes/\S+)", config):
        (content,) = yaml.load((root / path).read_text(encoding="utf-8"), Loader=loader)
        recipes.append(Recipe(**{name: content[name] for name in names if name in content}))
    return recipes


def find(name: str, catalogue: Sequence[Recipe]) -> Recipe:
    """The recipe of this name; raises `Refusal` with the nearest name and the list."""
    names = [recipe.name for recipe in catalogue]
    if name in names:
        return catalogue[names.index(name)]
    remedy = f"{suggestion(name, names)}recipes: {', '.join(names)}"
    raise Refusal(f"recipe {name!r}", "no such recipe", remedy)


def choose(names: Iterable[str], catalogue: Sequence[Recipe]) -> list[str]:
    """Check the chosen names and put them into the catalogue's order, each once."""
    choices = [recipe for recipe in catalogue if not recipe.implicit]
    chosen = set()
    for name in names:
        for recipe in catalogue:
            if recipe.implicit and recipe.name == name:
                raise Refusal(f"recipe {name!r}", f"it {recipe.joins}", "leave it out")
        chosen.add(find(name, choices).name)
    return [recipe.name for recipe in catalogue if recipe.name in chosen]

"""The catalogue as text and as JSON: `mlmw recipes`."""

import json
from collections.abc import Sequence
from dataclasses import asdict

from mlmw import layout
from mlmw.catalogue import Recipe


def as_json(recipes: Recipe | Sequence[Recipe]) -> str:
    """One recipe as a JSON object, or several as a list of them."""
    content = (
        asdict(recipes) if isinstance(recipes, Recipe) else [asdict(recipe) for recipe in recipes]
    )
    return json.dumps(content, indent=2)


def overview(catalogue: Sequence[Recipe]) -> str:
    """One line for each recipe, those that join by themselves apart."""
    width = max(len(recipe.name) for recipe in catalogue)
    tables = {
        implicit: layout.table(
            [
                (f"{recipe.name:{width}}", recipe.summary)
                for recipe in catalogue
                if recipe.implicit == implicit
            ]
        )
        for implicit in (False, True)
    }
    return "\n".join(
        [
            "To choose with --recipe:",
            tables[False],
            "",
            "Joining by themselves where they are needed:",
            tables[True],
            "",
            "All about one: mlmw recipes NAME",
        ]
    )


def details(recipe: Recipe) -> str:
    """All that recipe.yml says about one recipe."""
    kind = f"{recipe.kind} ({recipe.joins})" if recipe.implicit else recipe.kind
    commands = [f"{name}: {purpose}" for name, purpose in recipe.commands.items()]
    parts = {
        "Kind": [kind],
        "Requires": recipe.requires,
        "Dependencies": recipe.dependencies,
        "For development": recipe.dev_dependencies,
        "Extras": [f"{name}: {', '.join(wanted)}" for name, wanted in recipe.extras.items()],
        "Commands": commands,
        "Files": recipe.files,
    }
    lines = [f"{recipe.name}: {recipe.title}", recipe.summary]
    for heading, content in parts.items():
        if content:
            lines += ["", heading, *(f"  {line}" for line in content)]
    return "\n".join(lines)

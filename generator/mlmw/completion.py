"""What the shell offers while a command line is being typed."""


def recipe(beginning: str) -> list[tuple[str, str]]:
    """Recipes that can be chosen; a comma starts the next one."""
    from mlmw.catalogue import load_catalogue

    before = beginning[: beginning.rfind(",") + 1]
    chosen = before.split(",")
    return [
        (before + recipe.name, recipe.summary)
        for recipe in load_catalogue()
        if not recipe.implicit and recipe.name not in chosen
    ]


def any_recipe() -> list[tuple[str, str]]:
    """All recipes, implicit ones among them."""
    from mlmw.catalogue import load_catalogue

    return [(recipe.name, recipe.summary) for recipe in load_catalogue()]


def licence() -> list[str]:
    """Licences that a project can have."""
    from mlmw.checks import LICENCES

    return list(LICENCES)


def python() -> list[str]:
    """Versions of Python that a project can ask for."""
    from mlmw.checks import PYTHON_VERSIONS

    return list(PYTHON_VERSIONS)

"""A project for the user's own data: what its answers keep of a file, and where the file is."""

import hashlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlmw.errors import MlmwError, Refusal

QUESTION = "data_schema"  # in copier.yml
RECIPE = "tabular"  # what learns from such a file
RAW = "data/raw"
WAYS = {
    "copy": "the file is copied into data/raw/",
    "link": "data/raw/ gets a link to the file",
    "reference": "the file stays where it is, and the configuration names that place",
}


def facts(given: str, way: str) -> dict[str, str]:
    """Where a project finds a file that is brought in this way, and what tells it from others."""
    path = Path(given).absolute()
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    place = path.as_posix() if way == "reference" else f"{RAW}/{path.name}"
    return {"path": place, "by": way, "origin": _shown(given), "sha256": sha256}


def bring(given: str, way: str, project: Path) -> None:
    """Bring a file into a project's folder."""
    if way == "reference":
        return
    source, target = Path(given).absolute(), project / RAW / Path(given).name
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        if way == "link":
            target.symlink_to(source)
        else:
            shutil.copyfile(source, target)
    except OSError as error:
        why = f"it could not be brought ({error.strerror})"
        raise MlmwError(f"file {given!r}", why, "try another way: --data-by reference") from None


def recipes(chosen: list[str]) -> list[str]:
    """The recipes of a project for a file; raises `Refusal` where none of them learns from it."""
    if chosen and RECIPE not in chosen:
        why = f"of the recipes only {RECIPE} learns from a table"
        raise Refusal("--data", why, f"add it: --recipe {','.join([RECIPE, *chosen])}")
    return chosen or [RECIPE]


def description(schema: Mapping[str, Any]) -> str:
    """What the project is for, unless somebody says it better."""
    return " ".join(f"Predict {schema['target']} from the columns of {schema['file']}.".split())


def _shown(given: str) -> str:
    """A path as typed, with the home folder left out: it goes into the repository."""
    home = os.path.expanduser("~")
    return f"~{given.removeprefix(home)}" if given.startswith(home + os.sep) else given

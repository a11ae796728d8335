"""`mlmw data inspect`: look at a file, and say what a project would make of it."""

from typing import Any

from mlmw.inspection import engine, files, profile, roles
from mlmw.inspection.schema import schema


def inspect(given: str, target: str | None = None, task: str | None = None) -> dict[str, Any]:
    """Return what a project would keep of a file (see `schema`).

    Raises `Refusal`, in one line, for a file or a target that no model can be trained on.
    """
    file = files.look(given)
    with engine.loaded(file) as table:
        return schema(file, table, roles.decide(table, profile.measure(table), target, task))

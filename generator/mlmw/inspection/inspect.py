"""`mlmw data inspect`: look at a file, and say what a project would make of it."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from mlmw.inspection import engine, files, profile, roles
from mlmw.inspection.roles import Choices
from mlmw.inspection.schema import schema

Decide = Callable[[Choices], dict[str, Any]]


def inspect(given: str, choices: Choices | None = None) -> dict[str, Any]:
    """Return what a project would keep of a file (see `schema`).

    Raises `Refusal`, in one line, for a file or a target that no model can be trained on.
    """
    with looking(given) as decide:
        return decide(choices or Choices())


@contextlib.contextmanager
def looking(given: str) -> Iterator[Decide]:
    """Load and measure a file once, and decide as often as other choices are made."""
    file = files.look(given)
    with engine.loaded(file) as table:
        measured = profile.measure(table)

        def decide(choices: Choices) -> dict[str, Any]:
            profiles = [
                profile.as_text(table, one) if one.name in choices.texts else one
                for one in measured
            ]
            return schema(file, table, roles.decide(table, profiles, choices), choices)

        yield decide

"""The rows that a run keeps to try its model with, and that a service shows."""

from typing import Any

from .tabular import Data


def examples(data: Data, count: int = 5) -> list[Any]:
    """Return the first rows of the test part."""
    return data.held_out[:count]

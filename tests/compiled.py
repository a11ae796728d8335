"""Jinja's compiled texts, kept for the whole process.

Copier makes a new environment for each render, and so compiles every text of the template again.
The tests render some hundred times, and half of that time went into texts compiled before.
"""

from types import CodeType
from typing import Any

from jinja2 import Environment

_compile = Environment.compile
_compiled: dict[tuple[object, ...], CodeType] = {}


def _compile_once(
    self: Environment,
    source: Any,
    name: str | None = None,
    filename: str | None = None,
    **options: bool,
) -> Any:
    if not isinstance(source, str) or options:
        return _compile(self, source, name, filename, **options)
    text = self.preprocess(source, name, filename)  # extensions count on being asked
    key = (type(self), self.lexer, tuple(self.extensions), name, text)
    if key not in _compiled:
        _compiled[key] = _compile(self, source, name, filename)
    return _compiled[key]


def keep() -> None:
    """From now on compile each text once."""
    Environment.compile = _compile_once  # type: ignore[method-assign]

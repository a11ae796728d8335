"""Rendering the template with Copier, in this process and without its output.

Copier is imported here only, and inside the function: that takes longer than all checks together.
"""

import contextlib
import gc
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_compiled: dict[tuple[object, ...], Any] = {}


def render(
    root: Path,
    folder: Path,
    data: Mapping[str, Any],
    user_defaults: Mapping[str, Any] | None = None,
    ask: bool = False,
) -> dict[str, Any]:
    """Render the template at `root` into `folder`; returns all answers.

    Args:
        root: the template; of a Git checkout its working state counts, not its last tag.
        folder: where to render; it may exist.
        data: answers already given. Nobody is asked for them.
        user_defaults: other defaults for what is asked.
        ask: ask the remaining questions at the terminal, or else take their defaults.

    Raises whatever Copier raises; `ValueError` for an answer that the template refuses.
    """
    gc_was_enabled = gc.isenabled()
    gc.disable()  # nearly all objects stay, and looking for others takes a while
    try:
        import copier
        from copier.errors import DirtyLocalWarning, ShallowCloneWarning

        with warnings.catch_warnings(), _without_needless_git(root), _compiled_once():
            warnings.simplefilter("ignore", DirtyLocalWarning)
            warnings.simplefilter("ignore", ShallowCloneWarning)
            worker = copier.run_copy(
                str(root),
                folder,
                data=dict(data),
                user_defaults=dict(user_defaults or {}),
                defaults=not ask,
                vcs_ref="HEAD",
                quiet=True,
                unsafe=False,
            )
        return dict(worker.answers.combined)
    finally:
        if gc_was_enabled:
            gc.enable()


@contextlib.contextmanager
def _without_needless_git(root: Path) -> Iterator[None]:
    """Hide git from Copier where the template is a plain folder, as in an installed mlmw.

    Copier would start git once for each file that it writes, to keep the index of a repository in
    step, and here is none yet. That is a sixth of the time of `mlmw new`.
    """
    if (root / ".git").exists():
        yield
        return
    from plumbum import local

    with local.env(PATH=""):
        yield


@contextlib.contextmanager
def _compiled_once() -> Iterator[None]:
    """Let Jinja compile each text once in a process.

    Copier renders every part of the path of every file as a text of its own, and most files are in
    few folders; an update renders two versions, which differ in little.
    """
    from jinja2 import Environment

    compile_: Any = Environment.compile

    def once(
        self: Environment,
        source: Any,
        name: str | None = None,
        filename: str | None = None,
        **options: bool,
    ) -> Any:
        if not isinstance(source, str) or options:
            return compile_(self, source, name, filename, **options)
        text = self.preprocess(source, name, filename)  # by which Copier's own tag is reset
        key = (type(self), self.lexer, tuple(self.extensions), name, text)
        if key not in _compiled:
            _compiled[key] = compile_(self, source, name, filename)
        return _compiled[key]

    Environment.compile = once  # type: ignore[assignment, method-assign]
    try:
        yield
    finally:
        Environment.compile = compile_  # type: ignore[method-assign]

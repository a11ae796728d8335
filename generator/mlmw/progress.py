"""How far work on several projects has come: a bar for people, nothing in a pipe."""

import sys
from collections.abc import Iterator, Sequence


def over(paths: Sequence[str], action: str, shown: bool = True) -> Iterator[str]:
    """The paths one by one, with a bar on the error output that vanishes at the end."""
    if not shown or len(paths) < 2 or not sys.stderr.isatty():
        yield from paths
        return
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, redirect_stdout=False) as bar:
        yield from bar.track(paths, description=action)

"""The command line: every module in `commands/` is a command of its own."""

import importlib
import logging
import pkgutil
import signal
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Literal

import typer

from . import commands
from .utils.errors import UserError


def main(log_level: Literal["debug", "info", "warning", "error"] = "info") -> None:
    """Train, evaluate and use the models of this project."""
    logging.basicConfig(level=log_level.upper(), format="%(levelname)s %(message)s")
    logging.getLogger("matplotlib").setLevel("WARNING")  # else it tells of its cache of fonts


def build(words: Sequence[str]) -> typer.Typer:
    """Return the app with the command that is asked for, with all of them for the help.

    So a command waits for its own imports only, however many layers there are.
    """
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.callback(no_args_is_help=True)(main)
    names = [word.replace("-", "_") for word in words if word.replace("-", "_").isidentifier()]
    asked = [name for name in names if find_spec(f"{commands.__name__}.{name}")]
    for name in asked[:1] or [module.name for module in pkgutil.iter_modules(commands.__path__)]:
        command = importlib.import_module(f"{commands.__name__}.{name}")
        # Given as it is, so that the list of commands breaks it instead of cutting it off.
        app.command(name.replace("_", "-"), short_help=command.main.__doc__)(command.main)
    return app


def run() -> None:
    """Run one command. What the user can mend is told in one line, with exit code 2."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # tidy up, as after Ctrl-C
    try:
        build(sys.argv[1:])()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)

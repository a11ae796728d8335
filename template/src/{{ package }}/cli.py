"""The command line: every module in `commands/` is a command of its own."""

import importlib
import logging
import pkgutil
import signal
import sys
from typing import Literal

import typer

from . import commands
from .utils.errors import UserError

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
for module in pkgutil.iter_modules(commands.__path__):
    command = importlib.import_module(f"{commands.__name__}.{module.name}")
    app.command(module.name.replace("_", "-"))(command.main)


@app.callback(no_args_is_help=True)
def main(log_level: Literal["debug", "info", "warning", "error"] = "info") -> None:
    """Train, evaluate and use the models of this project."""
    logging.basicConfig(level=log_level.upper(), format="%(levelname)s %(message)s")


def run() -> None:
    """Run one command. What the user can mend is told in one line, with exit code 2."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # tidy up, as after Ctrl-C
    try:
        app()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)

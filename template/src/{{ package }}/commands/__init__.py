"""One module per command: its `main` function is the command, its docstring the help."""

from pathlib import Path
from typing import Annotated

import typer

RunFolder = Annotated[Path | None, typer.Option("--run", help="Default: the newest run.")]

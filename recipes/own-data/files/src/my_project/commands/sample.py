"""The command `sample`."""

from pathlib import Path
from typing import Annotated

import typer


def main(
    count: int = 5,
    output: Annotated[Path | None, typer.Option(help="Default: the standard output.")] = None,
    seed: int = 0,
) -> None:
    """Write made-up rows, as JSON lines, for which `predict` or the service can be asked."""
    from ..data import made_up
    from ..data.rows import make_row_type
    from ..data.schema import SCHEMA
    from ..utils.artifacts import write_text
    from ..utils.records import format_examples, validate

    columns = {column.name: column.kind for column in SCHEMA.of("feature")}
    rows = validate(made_up.records(count, seed), make_row_type(columns, {}), "made-up rows")
    if output:
        write_text(output, format_examples(rows))
    else:
        print(format_examples(rows), end="")

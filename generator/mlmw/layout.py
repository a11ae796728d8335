"""Text for whatever it is printed to: as wide as a terminal is, unbroken in a pipe or a file."""

import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence

WIDEST = 100
UNBROKEN = 10_000


def width() -> int:
    """Columns to fill; a pipe has no end, so that scripts find each entry in one line."""
    return min(shutil.get_terminal_size().columns, WIDEST) if sys.stdout.isatty() else UNBROKEN


def paragraph(text: str, indent: str = "", columns: int | None = None) -> str:
    """One paragraph, its further lines indented."""
    return textwrap.fill(
        text,
        max((columns or width()) - 1, 20),
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def table(rows: Iterable[tuple[str, str]], columns: int | None = None) -> str:
    """Names and what they mean, in two columns, or one below the other where that is too narrow."""
    rows = list(rows)
    columns = columns or width()
    first = max((len(name) for name, _ in rows), default=0)
    if columns - first < 30:
        pairs = ((f"  {name}", textwrap.indent(paragraph(text, "", columns - 4), "    "))
                 for name, text in rows)  # fmt: skip
        return "\n".join(line.rstrip() for pair in pairs for line in pair if line.strip())
    indent = " " * (first + 4)
    return "\n".join(
        paragraph(f"  {name:{first}}  {text}", indent, columns).rstrip() for name, text in rows
    )


def columns(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Lines of cells, each column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]

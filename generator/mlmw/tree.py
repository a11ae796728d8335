"""A folder drawn as a tree, its folders first."""

from collections.abc import Iterator
from pathlib import Path

LINES = ("├── ", "└── ", "│   ", "    ")
PLAIN_LINES = ("|-- ", "`-- ", "|   ", "    ")


def draw(folder: Path, plain: bool = False, indent: str = "") -> Iterator[str]:
    """Lines that show what is below a folder; Git's own folder is left out.

    `plain` keeps to ASCII, for terminals that cannot show more.
    """
    branch, last_branch, bar, blank = PLAIN_LINES if plain else LINES
    entries = [entry for entry in folder.iterdir() if entry.name != ".git"]
    entries.sort(key=lambda entry: (not entry.is_dir(), entry.name.lower(), entry.name))
    for entry in entries:
        last = entry is entries[-1]
        is_folder = entry.is_dir()
        yield f"{indent}{last_branch if last else branch}{entry.name}{'/' if is_folder else ''}"
        if is_folder:
            yield from draw(entry, plain, indent + (blank if last else bar))


def count_files(folder: Path) -> int:
    """Number of files below a folder, Git's own left out."""
    below = (path for path in folder.rglob("*") if path.is_file())
    return sum(".git" not in path.relative_to(folder).parts for path in below)

"""The conflicts that an update has left, and whether they are resolved."""

import os
import re
from pathlib import Path

from mlmw.journal import Journal
from mlmw.merge import Conflict
from mlmw.project import Project

MARKS = re.compile(rb"^(<{7} yours(:.*)?|>{7} template-.*)\r?$", re.MULTILINE)  # a merge's own


def still_open(project: Project, journal: Journal) -> list[Conflict]:
    """The conflicts that nobody has resolved yet."""
    listing = project.git("ls-files", "--unmerged", "-z", "--", project.prefix or ".")
    unmerged = {os.fsdecode(line.partition(b"\t")[2]) for line in listing.split(b"\0") if line}
    return [
        conflict
        for conflict in journal.conflicts
        if f"{project.prefix}{conflict.path}" in unmerged
        or (conflict.sidecar and os.path.lexists(project.folder / conflict.sidecar))
        or (not conflict.sidecar and _has_markers(project.folder / conflict.path))
    ]


def _has_markers(path: Path) -> bool:
    try:
        return len(MARKS.findall(path.read_bytes())) > 1
    except OSError:  # resolved by deleting it
        return False

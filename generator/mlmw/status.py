"""`mlmw status`: where a project stands towards its template; it changes nothing."""

import os
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlmw import answers as answers_file
from mlmw import git, ready, source
from mlmw.answers import ANSWERS, SOURCE, VERSION
from mlmw.conflicts import still_open
from mlmw.errors import Refusal
from mlmw.journal import Journal
from mlmw.merge import Conflict
from mlmw.project import Project, check_folder, find


@dataclass
class Status:
    """A project and its template."""

    path: str
    template: str
    version: str
    newest: str | None = None
    behind: int = 0  # releases, or commits of a template without releases
    newer: list[str] = field(default_factory=list)  # those releases
    recipes: list[str] = field(default_factory=list)
    layers: list[str] = field(default_factory=list)
    files: int = 0  # that the template rendered
    modified: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    added: int = 0
    conflicts: list[Conflict] = field(default_factory=list)
    under_way: str | None = None
    notes: list[str] = field(default_factory=list)


def status(given: str) -> Status:
    """Look at a project; raises `Refusal` if there is none."""
    git.drop_redirections()
    folder = check_folder(given)
    journal, notes = None, []
    try:
        project = find(given)
    except Refusal as refusal:  # a project without git can be looked at
        stored = answers_file.read(folder)
        notes.append(str(refusal))
    else:
        journal = Journal.read(project)
        stored = ready.read_answers(project, journal)
    recipes = list(stored.get("recipes", []))
    state = Status(given, stored[SOURCE], stored[VERSION], recipes=recipes, notes=notes)
    if journal is not None:
        _look_at_journal(project, journal, state)
    try:
        with source.opened(state.template, folder) as template:
            _compare_versions(template, state)
            _compare_files(template, folder, stored, state)
    except Refusal as refusal:
        state.notes.append(str(refusal))
    return state


def _look_at_journal(project: Project, journal: Journal, state: Status) -> None:
    try:
        ready.check_complete(project, journal)
    except Refusal as refusal:
        state.under_way = str(refusal).partition(": ")[2]
        return
    if project.text("rev-parse", "HEAD") != journal.head:
        return
    state.conflicts = still_open(project, journal)
    if state.conflicts:
        state.under_way = f"{journal.action} with open conflicts"
    elif project.changes():
        state.under_way = f"{journal.action} not committed yet"


def _compare_versions(template: source.Template, state: Status) -> None:
    old, new = template.commit(state.version), template.commit(template.newest())
    state.newest = template.name(new)
    if not template.contains(old, new):
        releases = template.releases()
        state.newer = [name for name in releases if template.ahead(template.commit(name), old)]
        state.behind = len(state.newer) or template.ahead(new, old)


def _compare_files(
    template: source.Template, folder: Path, stored: dict[str, Any], state: Status
) -> None:
    """Compare the project with what its version renders."""
    from copier.errors import CopierError

    from mlmw.render import render

    with tempfile.TemporaryDirectory(prefix="mlmw-", ignore_cleanup_errors=True) as temporary:
        root, rendered = Path(temporary) / "template", Path(temporary) / folder.name
        template.export(template.commit(state.version), root)
        try:
            result = render(root, rendered, answers_file.given(stored))
        except (CopierError, ValueError) as error:
            why = f"it refuses an answer of {ANSWERS} ({' '.join(str(error).split())})"
            raise Refusal(f"template {state.version!r}", why, "restore that file") from None
        state.layers = [layer["name"] for layer in result.get("layers", [])]
        files = [path for path in sorted(rendered.rglob("*")) if path.is_file()]
        names = {path.relative_to(rendered).as_posix() for path in files} - {ANSWERS}
        state.files = len(names)
        for name in sorted(names):
            own = folder / name
            if not os.path.lexists(own):
                state.deleted.append(name)
            elif _text(own) != _text(rendered / name):
                state.modified.append(name)
    try:
        options = ("--cached", "--others", "--exclude-standard", "-z")
        listing = git.plumb(folder, "ls-files", *options).split(b"\0")
        present = {os.fsdecode(name) for name in listing if name}
        state.added = len(
            [name for name in present - names - {ANSWERS} if (folder / name).exists()]
        )
    except (OSError, subprocess.CalledProcessError):
        pass  # said among the notes: it is in no repository


def _text(path: Path) -> bytes | None:
    """A file's content, whatever line ends git gave it here."""
    try:
        return path.read_bytes().replace(b"\r\n", b"\n")
    except OSError:  # a folder, or not to be read
        return None

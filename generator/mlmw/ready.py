"""Whether a project is fit to be changed; each check raises `Refusal`."""

import os
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from mlmw import answers, git, git_index
from mlmw.conflicts import still_open
from mlmw.errors import Refusal
from mlmw.journal import ABORTING, DONE, OPEN, PUBLISHING, Journal, at_work, busy
from mlmw.merge import Entry
from mlmw.project import Project
from mlmw.replace import fingerprint

SUBMODULE = "160000"  # the mode of an entry


UNDER_WAY = {
    "MERGE_HEAD": "merge",
    "CHERRY_PICK_HEAD": "cherry-pick",
    "REVERT_HEAD": "revert",
    "rebase-merge": "rebase",
    "rebase-apply": "rebase",
}


def check_nothing_open(project: Project, journal: Journal | None, head: str) -> None:
    """Refuse while an earlier update waits to be completed, resolved or undone, or git does."""
    what = f"project {project.given!r}"
    for name, action in UNDER_WAY.items():
        if (project.git_dir / name).exists():
            why = f"a {action} is under way in its repository"
            raise Refusal(what, why, f"finish it, or git {action} --abort, then run this again")
    if journal is None:
        return
    check_complete(project, journal)
    if journal.phase == OPEN and journal.head == head and still_open(project, journal):
        ways = "resolve them, git add, mlmw update --continue; or mlmw update --abort"
        raise Refusal(what, f"its last {journal.action} has open conflicts", ways)


def check_complete(project: Project, journal: Journal) -> None:
    """Refuse while an update is being published, or was killed while it was."""
    if journal.phase not in (PUBLISHING, ABORTING):
        return
    if at_work(project):
        raise busy(project)
    ways = "mlmw update --abort undoes it"
    if journal.phase == PUBLISHING:
        ways = f"mlmw update --continue completes it, {ways}"
    raise Refusal(f"project {project.given!r}", f"its last {journal.action} was interrupted", ways)


def read_answers(project: Project, journal: Journal | None) -> dict[str, Any]:
    """The answers; raises `Refusal`, which tells of an update if that has moved them aside."""
    try:
        return answers.read(project.folder)
    except Refusal:
        if journal is not None:
            check_complete(project, journal)
        raise


def clean_tree(project: Project, journal: Journal | None, head: str) -> str:
    """The project's tree; raises `Refusal` for a dirty one.

    What an update staged, and nobody has touched since, is as good as committed.
    """
    changes = project.changes()
    if not changes:
        return project.tree()
    if (
        journal is not None
        and (journal.phase, journal.head) == (DONE, head)
        and all(code[1] == " " for code, _ in changes)
        and _index_tree(project) == journal.result
    ):
        return journal.result
    count = f"{len(changes)} files have" if len(changes) > 1 else "a file has"
    why = f"{count} uncommitted changes ({changes[0][1]!r})"
    raise Refusal(f"project {project.given!r}", why, "commit or stash them first")


def _index_tree(project: Project) -> str | None:
    options = [f"--prefix={project.prefix}"] if project.prefix else []
    try:
        return project.text("write-tree", *options)
    except subprocess.CalledProcessError:  # unmerged
        return None


def check_own(project: Project, ours: Mapping[str, Entry], paths: Iterable[str]) -> None:
    """Refuse to write into a submodule, or into a repository inside the project."""
    for path in paths:
        for place in (path, *map(str, PurePosixPath(path).parents[:-1])):
            submodule = place in ours and ours[place].mode == SUBMODULE
            if submodule or os.path.lexists(project.folder / place / ".git"):
                why = f"the template changes it, but {place!r} is a repository of its own"
                raise Refusal(f"file {path!r}", why, "move that repository to another place")


def check_writable(project: Project, changed: Iterable[str]) -> None:
    """Refuse what the system would not let us do."""
    places = {project.git_dir, project.folder}
    for path in changed:
        parent = (project.folder / path).parent
        if parent.is_dir():
            places.add(parent)
    for place in sorted(places):
        if not os.access(place, os.W_OK | os.X_OK):
            why = f"you may not write into {str(place)!r}"
            raise Refusal(f"project {project.given!r}", why, "change its permissions")
    try:
        git_index.check_unlocked(project)
    except git_index.Locked as error:
        remedy = "wait, or remove it if none runs"
        raise Refusal(f"project {project.given!r}", str(error.strerror), remedy) from None


def look_at_files(
    project: Project, journal: Journal, ours: Mapping[str, Entry], changed: Iterable[str]
) -> None:
    """Remember the files as they are, once it is sure that they are still what was merged.

    An edit before the look is seen by the checks after it, and a later one by the look's result.
    """
    paths = ours.keys() & set(changed)
    for path in paths:
        journal.know(path, fingerprint(project.folder / path))
    if clean_tree(project, journal.previous, journal.head) != journal.ours:
        why = "it was committed to while mlmw was at work"
        raise Refusal(f"project {project.given!r}", why, "run it again")
    try:
        edited = _edited(project, {path: ours[path] for path in paths})
        hidden = _hidden(project) if edited else set()
    except (OSError, subprocess.CalledProcessError) as error:
        why = f"its files cannot be compared ({git.first_line(error)})"
        raise Refusal(f"project {project.given!r}", why, "nothing was changed") from None
    for path in edited:
        if path in hidden:
            why = "it was edited, and git was told not to look at it"
            remedy = "git update-index --no-assume-unchanged --no-skip-worktree, then commit it"
        else:
            why = "it was edited, though its size and times are those that git remembers"
            remedy = "touch it, then commit or stash it"
        raise Refusal(f"file {path!r}", why, remedy)


def _edited(project: Project, files: Mapping[str, Entry]) -> list[str]:
    """The files that are not what the tree has, in type, mode or content.

    Git compares them with an index that knows no sizes, no times and no files to be left alone.
    """
    with tempfile.TemporaryDirectory(prefix="mlmw-", ignore_cleanup_errors=True) as temporary:
        index = Path(temporary) / "index"
        git_index.put(project, index, files)
        project.git("update-index", "-q", "--refresh", index=index)
        listing = project.git("diff-files", "--name-only", "-z", index=index).split(b"\0")
    return sorted(os.fsdecode(name).removeprefix(project.prefix) for name in listing if name)


def _hidden(project: Project) -> set[str]:
    """The files that git was told not to look at."""
    listing = project.git("ls-files", "-v", "-z", "--", project.prefix or ".").split(b"\0")
    flagged = [os.fsdecode(line[2:]) for line in listing if line[:1].islower() or line[:1] == b"S"]
    return {path.removeprefix(project.prefix) for path in flagged}

"""`mlmw update --continue` and `--abort`: after conflicts, a kill, or a change of mind."""

import subprocess
from collections.abc import Callable
from typing import TypeVar

from mlmw import git, publish
from mlmw.conflicts import still_open
from mlmw.errors import Refusal
from mlmw.journal import ABORTING, DONE, PUBLISHING, Journal, alone
from mlmw.project import Project, find
from mlmw.replace import Changed
from mlmw.update import Outcome

T = TypeVar("T")


def resume(given: str) -> Outcome:
    """Complete what a kill interrupted, or conclude what had conflicts."""
    project = find(given)
    journal = _journal(project)
    with alone(project, journal):
        return _resume(project, journal)


def undo(given: str) -> Outcome:
    """Bring back the state before the last update."""
    project = find(given)
    journal = _journal(project)
    with alone(project, journal):
        return _undo(project, journal)


def _resume(project: Project, journal: Journal) -> Outcome:
    given = project.given
    _check_head(project, journal, "finish")
    if journal.phase == ABORTING:
        why = "its --abort was interrupted"
        raise Refusal(f"project {given!r}", why, "run it again: mlmw update --abort")
    known = (given, journal.action)
    message = ""
    if journal.phase == PUBLISHING:
        try:
            message = _kept(_or_fail(project, lambda: publish.finish(project, journal)))
        except Changed as changed:
            why = f"{changed} changed since its {journal.action} was interrupted"
            remedy = "mlmw update --abort keeps that, and brings the state before back"
            raise Refusal(f"project {given!r}", why, remedy) from None
    conflicts = still_open(project, journal)
    result = "conflicts" if conflicts else "changed"
    if not conflicts:
        journal.phase = DONE
        _or_fail(project, lambda: journal.write(project))
    return Outcome(*known, result, journal.old, journal.new, message, conflicts=conflicts)


def _undo(project: Project, journal: Journal) -> Outcome:
    if project.tree() != journal.result:  # or else it was just committed
        _check_head(project, journal, "undo")
    message = _kept(_or_fail(project, lambda: publish.abort(project, journal)))
    return Outcome(project.given, journal.action, "undone", journal.new, journal.old, message)


def _kept(places: list[str]) -> str:
    shown = [f"git diff {ref}^ {ref}" for ref in places if ref.startswith("refs/")]
    see = f"; see it: {shown[0]}" if shown else ""
    return f"what was done since is kept in {', '.join(places)}{see}" if places else ""


def _or_fail(project: Project, step: Callable[[], T]) -> T:
    try:
        return step()
    except publish.FAILURES as error:
        why = f"it cannot be written ({git.first_line(error)})"
        remedy = "make room or check permissions, then run the same again"
        raise Refusal(f"project {project.given!r}", why, remedy) from None


def _journal(project: Project) -> Journal:
    journal = Journal.read(project)
    if journal is None:
        why = "no update is under way or waits for its commit"
        raise Refusal(f"project {project.given!r}", why, "run mlmw status to see where it stands")
    return journal


def _check_head(project: Project, journal: Journal, verb: str) -> None:
    """Refuse to work on another commit than the one that the update began at."""
    if project.text("rev-parse", "HEAD") != journal.head:
        why = f"it is at another commit than the {journal.action} that you want to {verb}"
        remedy = f"go back to {journal.head[:10]}; the state before is {journal.before[:10]}"
        if journal.phase in (PUBLISHING, ABORTING) and _committed_since(project, journal):
            remedy = f"git reset --soft {journal.head[:10]}, then mlmw update --abort: "
            remedy += "that keeps what was done since"
        raise Refusal(f"project {project.given!r}", why, remedy)


def _committed_since(project: Project, journal: Journal) -> bool:
    """Whether the commit that the update began at is one of those before the present one."""
    try:
        project.git("merge-base", "--is-ancestor", journal.head, "HEAD")
    except subprocess.CalledProcessError:
        return False
    return True

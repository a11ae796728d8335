"""`mlmw update --continue` and `--abort`: after conflicts, a kill, or a change of mind."""

from collections.abc import Callable

from mlmw import git, publish
from mlmw.errors import Refusal
from mlmw.journal import ABORTING, DONE, PUBLISHING, Journal
from mlmw.project import Project, find
from mlmw.update import Outcome


def resume(given: str) -> Outcome:
    """Complete what a kill interrupted, or conclude what had conflicts."""
    project = find(given)
    journal = _journal(project)
    _check_head(project, journal, "finish")
    if journal.phase == ABORTING:
        why = "its --abort was interrupted"
        raise Refusal(f"project {given!r}", why, "run it again: mlmw update --abort")
    known = (given, journal.action)
    if journal.phase == PUBLISHING:
        _or_fail(project, lambda: publish.finish(project, journal))
    conflicts = publish.still_open(project, journal)
    if conflicts:
        return Outcome(*known, "conflicts", journal.old, journal.new, conflicts=conflicts)
    journal.phase = DONE
    _or_fail(project, lambda: journal.write(project))
    return Outcome(*known, "changed", journal.old, journal.new)


def undo(given: str) -> Outcome:
    """Bring back the state before the last update."""
    project = find(given)
    journal = _journal(project)
    if project.changes() or project.tree() != journal.result:  # or else it was just committed
        _check_head(project, journal, "undo")
    saved: list[bool] = []
    _or_fail(project, lambda: saved.append(publish.abort(project, journal)))
    message = f"what was done since is kept in {publish.SAVED}" if saved[0] else ""
    return Outcome(given, journal.action, "undone", journal.new, journal.old, message)


def _or_fail(project: Project, step: Callable[[], object]) -> None:
    try:
        step()
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
        remedy = f"go back to {journal.head[:10]}; the state before is {project.before}"
        raise Refusal(f"project {project.given!r}", why, remedy)

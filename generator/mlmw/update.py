"""`mlmw update`, `add` and `remove`: Copier renders the old and the new state, Git merges.

One engine for all three: what differs is the version and the recipes of the new state.
"""

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mlmw import answers as answers_file
from mlmw import git, git_index, publish, source
from mlmw.answers import ANSWERS, SOURCE, VERSION
from mlmw.conflicts import still_open
from mlmw.errors import Refusal
from mlmw.journal import ABORTING, DONE, OPEN, PUBLISHING, Journal
from mlmw.kept import commit
from mlmw.merge import Conflict, Entry, Merged, Workspace, difference, workspace
from mlmw.project import Project, find
from mlmw.renders import Renders, check_unedited
from mlmw.replace import fingerprint
from mlmw.sidecars import set_aside


@dataclass(frozen=True)
class Wanted:
    """What the command line asks for."""

    action: str = "update"  # or add, remove
    recipes: Sequence[str] = ()
    to: str | None = None  # a version; by default the newest
    template: str | None = None  # a source other than the recorded one


@dataclass(frozen=True)
class Outcome:
    """What became of one project."""

    path: str
    action: str
    result: str  # unchanged, behind, changed, conflicts, previewed, undone, refused or failed
    old: str | None = None
    new: str | None = None
    message: str = ""
    files: list[str] = field(default_factory=list)  # status letter and path
    conflicts: list[Conflict] = field(default_factory=list)
    kept_deleted: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Plan:
    """A merge that is ready to be published."""

    project: Project
    journal: Journal
    workspace: Workspace
    merged: Merged

    @property
    def changed(self) -> dict[str, Entry | None]:
        """The files that will differ."""
        old, new = (self.workspace.entries(tree) for tree in (self.merged.ours, self.merged.tree))
        return difference(old, new)

    def outcome(self, result: str) -> Outcome:
        """What publishing it gives."""
        before = self.workspace.entries(self.merged.ours)
        letters = {
            path: "D" if entry is None else "M" if path in before else "A"
            for path, entry in self.changed.items()
        }
        return Outcome(
            *(self.project.given, self.journal.action, result, self.journal.old, self.journal.new),
            files=[f"{letter} {path}" for path, letter in letters.items()],
            conflicts=self.merged.conflicts,
            kept_deleted=self.merged.kept_deleted,
        )

    def diff(self, *options: str) -> str:
        """What would change, as a patch."""
        command = ("diff-tree", "-p", "-M", *options, self.merged.ours, self.merged.tree)
        return self.workspace.git(*command).decode(errors="backslashreplace")


def check(given: str, wanted: Wanted) -> Outcome:
    """Whether a project is behind; touches nothing."""
    project = find(given)
    stored = answers_file.read(project.folder)
    with source.opened(wanted.template or stored[SOURCE], project.folder) as template:
        old, new = _versions(template, stored, wanted)
        known = (stored[VERSION], template.name(new))
        result = "unchanged" if old == new else "behind"
        return Outcome(given, wanted.action, result, *known)


def preview(given: str, wanted: Wanted, *options: str) -> tuple[Outcome, str]:
    """What would change, and the patch; touches nothing."""
    project = find(given)
    with _planned(project, wanted) as plan:
        if isinstance(plan, Outcome):
            return plan, ""
        return plan.outcome("previewed"), plan.diff(*options)


def apply(given: str, wanted: Wanted) -> Outcome:
    """Change a project; raises `Refusal` where nothing was changed."""
    project = find(given)
    with _planned(project, wanted) as plan:
        if isinstance(plan, Outcome):
            return plan
        outcome = plan.outcome("conflicts" if plan.merged.conflicts else "changed")
        _check_writable(project, plan.changed)
        _look_at_files(plan)
        plan.journal.before = _before(project, plan.journal)
        kept = publish.begin(project, plan.journal, plan.workspace.pack(plan.merged.tree))
        message = f"what was saved meanwhile is kept in {', '.join(kept)}" if kept else ""
        return replace(outcome, message=message)


@contextlib.contextmanager
def _planned(project: Project, wanted: Wanted) -> Iterator[Plan | Outcome]:
    """Render, merge, and check all that could stop the publication; or tell that nothing is due."""
    journal = Journal.read(project)
    head = project.text("rev-parse", "HEAD")
    _check_nothing_open(project, journal, head)
    stored = answers_file.read(project.folder)
    with (
        source.opened(wanted.template or stored[SOURCE], project.folder) as template,
        tempfile.TemporaryDirectory(prefix="mlmw-", ignore_cleanup_errors=True) as temporary,
        workspace(project) as space,
    ):
        old, new = _versions(template, stored, wanted)
        name = stored[VERSION] if old == new else template.name(new)
        renders = Renders(template, Path(temporary), project.folder.name)
        recipes = renders.recipes(new, stored, wanted.action, wanted.recipes)
        known = (project.given, wanted.action)
        if (
            old == new
            and recipes == stored.get("recipes", [])
            and template.source == stored[SOURCE]
        ):
            yield Outcome(*known, "unchanged", stored[VERSION], name)
            return
        ours = _clean_tree(project, journal, head)
        if ANSWERS not in space.entries(ours):
            why = "git does not track it"
            raise Refusal(f"file {ANSWERS!r}", why, "add and commit it: updates start from it")
        base = renders.render(old, stored, stored[SOURCE], stored[VERSION])
        check_unedited(project, base)
        theirs = renders.render(new, stored | {"recipes": recipes}, template.source, name)
        merged = _merge(project, space, base, ours, theirs, f"template-{name}")
        sidecars, adopted = set_aside(project, space, merged)
        result = Journal(
            *(wanted.action, stored[VERSION], name, head, head, ours, merged.tree),
            *(merged.conflicts, merged.stages, sidecars, adopted),
            previous=journal if ours != project.tree() else None,
        )
        yield Plan(project, result, space, merged)


def _check_nothing_open(project: Project, journal: Journal | None, head: str) -> None:
    what = f"project {project.given!r}"
    if journal is None:
        return
    if journal.phase in (PUBLISHING, ABORTING):
        ways = "mlmw update --abort undoes it"
        if journal.phase == PUBLISHING:
            ways = f"mlmw update --continue completes it, {ways}"
        raise Refusal(what, f"its last {journal.action} was interrupted", ways)
    if journal.phase == OPEN and journal.head == head and still_open(project, journal):
        ways = "resolve them, git add, mlmw update --continue; or mlmw update --abort"
        raise Refusal(what, f"its last {journal.action} has open conflicts", ways)


def _versions(template: source.Template, stored: dict[str, Any], wanted: Wanted) -> tuple[str, str]:
    """The commits to go from and to."""
    old = template.commit(stored[VERSION])
    if wanted.action != "update":
        return old, old
    if wanted.to is not None:
        return old, template.commit(wanted.to)
    new = template.commit(template.newest())
    return old, old if template.contains(old, new) else new  # never back by itself


def _clean_tree(project: Project, journal: Journal | None, head: str) -> str:
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


def _before(project: Project, journal: Journal) -> str:
    """A commit of the state before."""
    if project.tree() == journal.ours:
        return journal.head
    tree = project.text("write-tree")
    return commit(project, tree, f"Before mlmw {journal.action}", journal.head)


def _merge(
    project: Project, space: Workspace, base: Path, ours: str, theirs: Path, name: str
) -> Merged:
    try:
        trees = [space.tree_of(folder) for folder in (base, theirs)]
        merged = space.merge(trees[0], ours, trees[1], name)
    except publish.FAILURES as error:
        why = f"git could not merge ({git.first_line(error)})"
        raise Refusal(f"project {project.given!r}", why, "nothing was changed") from None
    if any(conflict.path == ANSWERS for conflict in merged.conflicts):
        raise Refusal(f"file {ANSWERS!r}", "it was edited by hand", "restore it from git")
    return merged


def _check_writable(project: Project, changed: dict[str, Entry | None]) -> None:
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


def _look_at_files(plan: Plan) -> None:
    """Remember the files as they are, once it is sure that they are still what was merged.

    An edit before the look is seen by the checks after it, and a later one by the look's result.
    """
    before = plan.workspace.entries(plan.merged.ours)
    for path in plan.changed.keys() & before.keys():
        plan.journal.know(path, fingerprint(plan.project.folder / path))
    if _clean_tree(plan.project, plan.journal.previous, plan.journal.head) != plan.merged.ours:
        why = "it was committed to while mlmw was at work"
        raise Refusal(f"project {plan.project.given!r}", why, "run it again")
    _check_hidden_edits(plan)


def _check_hidden_edits(plan: Plan) -> None:
    """Refuse to replace edits that git was told not to look at, and so does not show."""
    project = plan.project
    listing = project.git("ls-files", "-v", "-z", "--", project.prefix or ".").split(b"\0")
    flagged = [os.fsdecode(line[2:]) for line in listing if line[:1].islower() or line[:1] == b"S"]
    ours = plan.workspace.entries(plan.merged.ours)
    for path in {path.removeprefix(project.prefix) for path in flagged} & plan.changed.keys():
        place = project.folder / path
        if place.is_file() and project.text("hash-object", "--", str(place)) != ours[path].oid:
            remedy = "git update-index --no-assume-unchanged --no-skip-worktree, then commit it"
            why = "it was edited, and git was told not to look at it"
            raise Refusal(f"file {path!r}", why, remedy)

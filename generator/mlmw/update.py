"""`mlmw update`, `add` and `remove`: Copier renders the old and the new state, Git merges.

One engine for all three: what differs is the version and the recipes of the new state.
"""

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mlmw import answers as answers_file
from mlmw import git, publish, ready, source
from mlmw.answers import ANSWERS, SOURCE, VERSION
from mlmw.errors import Refusal
from mlmw.journal import Journal, alone
from mlmw.kept import commit
from mlmw.merge import Conflict, Entry, Merged, Workspace, difference, workspace
from mlmw.project import Project, find
from mlmw.renders import Renders, check_unedited
from mlmw.sidecars import set_aside


@dataclass(frozen=True)
class Wanted:
    """What the command line asks for."""

    action: str = "update"  # or add, remove, refresh
    recipes: Sequence[str] = ()
    to: str | None = None  # a version; by default the newest
    template: str | None = None  # a source other than the recorded one
    answers: dict[str, Any] = field(default_factory=dict)  # that take the place of stored ones


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
    last: Journal | None  # of the update before

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
    stored = ready.read_answers(project, Journal.read(project))
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
        ready.check_writable(project, plan.changed)
        ours = plan.workspace.entries(plan.merged.ours)
        ready.look_at_files(project, plan.journal, ours, plan.changed)
        plan.journal.before = _before(project, plan.journal)
        pack = plan.workspace.pack(plan.merged.tree)
        with alone(project, plan.last):
            kept = publish.begin(project, plan.journal, pack)
        message = f"what was saved meanwhile is kept in {', '.join(kept)}" if kept else ""
        return replace(outcome, message=message)


@contextlib.contextmanager
def _planned(project: Project, wanted: Wanted) -> Iterator[Plan | Outcome]:
    """Render, merge, and check all that could stop the publication; or tell that nothing is due."""
    journal = Journal.read(project)
    head = project.text("rev-parse", "HEAD")
    ready.check_nothing_open(project, journal, head)
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
            and stored | wanted.answers == stored
        ):
            yield Outcome(*known, "unchanged", stored[VERSION], name)
            return
        ours = ready.clean_tree(project, journal, head)
        if ANSWERS not in space.entries(ours):
            why = "git does not track it"
            raise Refusal(f"file {ANSWERS!r}", why, "add and commit it: updates start from it")
        base = renders.render(old, stored, stored[SOURCE], stored[VERSION])
        check_unedited(project, base)
        theirs = renders.render(
            new, stored | {"recipes": recipes} | wanted.answers, template.source, name
        )
        merged = _merge(project, space, base, ours, theirs, f"template-{name}")
        sidecars, adopted = set_aside(project, space, merged)
        result = Journal(
            *(wanted.action, stored[VERSION], name, head, head, ours, merged.tree),
            *(merged.conflicts, merged.stages, sidecars, adopted),
            previous=journal if ours != project.tree() else None,
        )
        yield Plan(project, result, space, merged, journal)


def _versions(template: source.Template, stored: dict[str, Any], wanted: Wanted) -> tuple[str, str]:
    """The commits to go from and to."""
    old = template.commit(stored[VERSION])
    if wanted.action != "update":
        return old, old
    if wanted.to is not None:
        return old, template.commit(wanted.to)
    new = template.commit(template.newest())
    return old, old if template.contains(old, new) else new  # never back by itself


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
    known, has, brings, result = map(space.entries, (trees[0], ours, trees[1], merged.tree))
    written = {*difference(has, result), *(stage.path for stage in merged.stages)}
    ready.check_own(project, has, sorted({*written, *(brings.keys() - known.keys())}))
    if any(conflict.path == ANSWERS for conflict in merged.conflicts):
        raise Refusal(f"file {ANSWERS!r}", "it was edited by hand", "restore it from git")
    return merged

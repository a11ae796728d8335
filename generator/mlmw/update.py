"""`mlmw update`, `add` and `remove`: Copier renders the old and the new state, Git merges.

One engine for all three: what differs is the version and the recipes of the new state.
"""

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from mlmw import answers as answers_file
from mlmw import catalogue, git, publish, source
from mlmw.answers import ANSWERS, SOURCE, VERSION
from mlmw.errors import MlmwError, Refusal
from mlmw.merge import Conflict, Entry, Merged, Workspace, workspace
from mlmw.project import Project, find
from mlmw.publish import ABORTING, DONE, OPEN, PUBLISHING, Journal

SIDECAR = ".from-template"


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
        return publish.difference(old, new)

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
        return plan.outcome("conflicts" if plan.merged.conflicts else "previewed"), plan.diff(
            *options
        )


def apply(given: str, wanted: Wanted) -> Outcome:
    """Change a project; raises `Refusal` where nothing was changed."""
    project = find(given)
    with _planned(project, wanted) as plan:
        if isinstance(plan, Outcome):
            return plan
        outcome = plan.outcome("conflicts" if plan.merged.conflicts else "changed")
        _check_writable(project, plan.changed)
        plan.journal.before = _before(project, plan.journal)
        publish.begin(project, plan.journal, plan.workspace.pack(plan.merged.tree))
        return outcome


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
    _or_fail(project, lambda: publish.write(project, journal))
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


def _or_fail(project: Project, step: Any) -> None:
    try:
        step()
    except publish.FAILURES as error:
        why = f"it cannot be written ({git.first_line(error)})"
        remedy = "make room or check permissions, then run the same again"
        raise Refusal(f"project {project.given!r}", why, remedy) from None


def _journal(project: Project) -> Journal:
    journal = publish.read(project)
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


@contextlib.contextmanager
def _planned(project: Project, wanted: Wanted) -> Iterator[Plan | Outcome]:
    """Render, merge, and check all that could stop the publication; or tell that nothing is due."""
    journal = publish.read(project)
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
        renders = _Renders(template, Path(temporary), project.folder.name)
        recipes = renders.recipes(new, stored, wanted)
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
        _check_unedited(project, base)
        theirs = renders.render(new, stored | {"recipes": recipes}, template.source, name)
        merged = _merge(project, space, base, ours, theirs, f"template-{name}")
        sidecars, adopted = _set_aside(project, space, merged)
        result = Journal(
            *(wanted.action, stored[VERSION], name, head, head, ours, merged.tree),
            *(merged.conflicts, merged.stages, sidecars, adopted),
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
    if journal.phase == OPEN and journal.head == head and publish.still_open(project, journal):
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


@dataclass(frozen=True)
class _Renders:
    """Versions of the template, exported once each, and what they render."""

    template: source.Template
    work: Path
    name: str

    def root(self, commit: str) -> Path:
        folder = self.work / f"template-{commit}"
        if not folder.exists():
            self.template.export(commit, folder)
        return folder

    def recipes(self, commit: str, stored: dict[str, Any], wanted: Wanted) -> list[str]:
        """The recipes that are wanted, in the order in which `mlmw new` writes them down."""
        chosen = list(stored.get("recipes", []))
        if wanted.action == "update":
            return chosen
        known = catalogue.load_catalogue(self.root(commit))
        names = catalogue.choose(wanted.recipes, known)
        if wanted.action == "remove":
            return [name for name in chosen if name not in names]
        if set(names) <= set(chosen):
            return chosen
        return catalogue.choose([*chosen, *names], known)

    def render(self, commit: str, stored: dict[str, Any], place: str, version: str) -> Path:
        """Render a version with these answers into a folder of the project's own name."""
        from mlmw.render import render

        number = len(list(self.work.glob("render-*")))
        folder = self.work / f"render-{number}" / (self.name or "project")
        folder.parent.mkdir()
        given = answers_file.given(stored)
        what = f"template {version!r}"
        from copier.errors import CopierError
        from jinja2 import TemplateError

        try:
            result = render(self.root(commit), folder, given)
        except (CopierError, TemplateError) as error:
            why = f"it cannot be rendered ({' '.join(str(error).split())})"
            raise Refusal(what, why, "choose another version") from None
        except ValueError as error:
            why = f"it refuses an answer of {ANSWERS} ({' '.join(str(error).split())})"
            raise Refusal(what, why, "restore that file, or choose another version") from None
        except OSError as error:
            if error.errno is None:
                raise
            why = f"it cannot be rendered ({error.strerror})"
            raise Refusal(what, why, "nothing was changed") from None
        lost = set(given.get("recipes", [])) - set(result.get("recipes", []))
        if lost:
            why = f"it has no recipe {', '.join(map(repr, sorted(lost)))}"
            raise Refusal(what, why, "remove it first, or choose another version")
        answers_file.record(folder, place, version)
        return folder


def _check_unedited(project: Project, base: Path) -> None:
    """Refuse answers that were edited by hand: the template's own mark of them tells."""
    stored, rendered = (_mark(folder / ANSWERS) for folder in (project.folder, base))
    if stored is not None and stored != rendered:
        why = "its answers were edited by hand"
        remedy = "restore it from git; recipes change with mlmw add and mlmw remove"
        raise Refusal(f"file {ANSWERS!r}", why, remedy)


def _mark(path: Path) -> str | None:
    lines = path.read_text(encoding="utf-8").splitlines()
    return next((line for line in lines if line.startswith("# Checksum:")), None)


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
    command = ("commit-tree", "-p", journal.head, "-m", "Before mlmw", tree)
    return git.plumb(project.top, *command, environment=git.SIGNATURE).decode().strip()


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


def _set_aside(
    project: Project, space: Workspace, merged: Merged
) -> tuple[dict[str, str], list[str]]:
    """Take new files out of the merge where something untracked is in their place.

    They become sidecars: the template's file beside the owner's. Returns their objects by path, and
    the paths where the owner happens to have the same file already.
    """
    ours, result = space.entries(merged.ours), space.entries(merged.tree)
    changed = publish.difference(ours, result)
    leaving = {path for path, entry in changed.items() if entry is None}
    sidecars: dict[str, str] = {}
    adopted: list[str] = []
    for path, entry in changed.items():
        if entry is None or path in ours:
            continue
        blocked = _blocked(project.folder, path, leaving)
        if blocked is None:
            continue
        if _same(project.folder / path, space, entry):
            adopted.append(path)
            continue
        sidecar = _sidecar(project.folder, path, blocked, {*result, *sidecars})
        sidecars[sidecar] = entry.oid
        message = f"the template's new file would replace {blocked!r}, which git does not track"
        merged.conflicts = [one for one in merged.conflicts if one.path != path]
        merged.stages = [stage for stage in merged.stages if stage.path != path]
        merged.conflicts.append(Conflict(path, "untracked", message, sidecar))
    if sidecars:
        out = [one.path for one in merged.conflicts if one.sidecar]
        merged.tree = space.with_changes(merged.tree, dict.fromkeys(out))
    return sidecars, adopted


def _blocked(folder: Path, path: str, leaving: set[str]) -> str | None:
    """The untracked thing, if any, that stands where a new file has to go."""
    for parent in reversed(PurePosixPath(path).parents[:-1]):
        place = folder / parent
        if str(parent) not in leaving and (place.is_symlink() or place.is_file()):
            return str(parent)
    place = folder / path
    if place.is_symlink() or not place.is_dir():
        return path if os.path.lexists(place) and path not in leaving else None
    inside = (
        below.relative_to(folder).as_posix() for below in place.rglob("*") if not below.is_dir()
    )
    return path if any(below not in leaving for below in inside) else None


def _same(place: Path, space: Workspace, entry: Entry) -> bool:
    """Whether what is there already is just what the template brings."""
    if place.is_symlink() or not place.is_file() or entry.mode == "120000":
        return False
    return place.read_bytes() == space.content(entry.oid)


def _sidecar(folder: Path, path: str, blocked: str, taken: set[str]) -> str:
    """A free name beside what is in the way."""
    rest = path.removeprefix(blocked)
    for number in range(1, 1000):
        name = f"{blocked}{SIDECAR}{'' if number == 1 else number}{rest}"
        if name not in taken and not os.path.lexists(folder / name):
            return name
    raise MlmwError(f"file {path!r}", "no free name beside it", "remove what earlier updates left")


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
    lock = project.git_dir / "index.lock"
    if lock.exists():
        why = f"another git process holds {str(lock)!r}"
        raise Refusal(f"project {project.given!r}", why, "wait, or remove it if none runs")

"""Merging in Git's object space: nothing here touches the project.

Copier has rendered the old and the new state into folders; the project's own state is a tree in its
repository. All merging is `git merge-tree` in a bare repository of our own, which only borrows the
project's objects, so that no setting, hook, merge driver or attribute of the user takes part.
"""

import contextlib
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mlmw import git
from mlmw.project import Project

MERGE = {
    "merge.conflictStyle": "merge",
    "merge.directoryRenames": "false",  # new files land where the template says
    "merge.renames": "true",
    "merge.renameLimit": "10000",
}
NOTHING = "000000"  # the mode of what is not there


@dataclass(frozen=True)
class Entry:
    """A file as a tree has it."""

    mode: str
    oid: str


@dataclass(frozen=True)
class Stage:
    """One side of a conflict, as the index keeps it: 1 before, 2 the owner's, 3 the template's."""

    mode: str
    oid: str
    stage: int
    path: str


@dataclass(frozen=True)
class Conflict:
    """A place that needs the owner's decision."""

    path: str
    kind: str
    message: str
    sidecar: str | None = None  # where the template's file was put instead


@dataclass
class Merged:
    """The result of a merge, in the repository of a `Workspace`."""

    ours: str
    tree: str
    conflicts: list[Conflict] = field(default_factory=list)
    stages: list[Stage] = field(default_factory=list)
    kept_deleted: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Workspace:
    """A bare repository that sees the project's objects and keeps its own new ones."""

    repository: Path
    _listed: dict[str, dict[str, Entry]] = field(default_factory=dict, compare=False)

    def git(
        self,
        *arguments: str,
        data: bytes | None = None,
        extra: Mapping[str, str] | None = None,
    ) -> bytes:
        """Run git here."""
        return git.own(self.repository, *arguments, data=data, extra=extra)

    def text(self, *arguments: str, extra: Mapping[str, str] | None = None) -> str:
        """What git prints, stripped."""
        return self.git(*arguments, extra=extra).decode().strip()

    def tree_of(self, folder: Path) -> str:
        """The tree of a rendered folder."""
        index = {"GIT_INDEX_FILE": str(self.repository / f"index-{folder.parent.name}")}
        work = index | {"GIT_WORK_TREE": str(folder)}
        self.git("add", "--all", "--force", "--", ".", extra=work)
        return self.text("write-tree", extra=index)

    def entries(self, tree: str) -> Mapping[str, Entry]:
        """Every file of a tree, which git is asked for once."""
        if tree not in self._listed:
            listing = self.git("ls-tree", "-r", "-z", "--full-tree", tree)
            self._listed[tree] = entries(listing)
        return self._listed[tree]

    def with_changes(self, tree: str, changed: Mapping[str, Entry | None]) -> str:
        """A tree with some files put in or, where the entry is `None`, taken out."""
        index = {"GIT_INDEX_FILE": str(self.repository / "index-edit")}
        self.git("read-tree", tree, extra=index)
        self.git(
            "update-index",
            "-z",
            "--index-info",
            data=index_lines(changed, "0" * len(tree)),
            extra=index,
        )
        return self.text("write-tree", extra=index)

    def pack(self, tree: str) -> bytes:
        """Every object of a merge that the project does not have."""
        self._commit(tree, "refs/heads/result")
        refs = self.text("for-each-ref", "--format=%(objectname)", "refs/heads").split()
        wanted = "".join(f"{commit}\n" for commit in refs)
        yours = self.text("rev-parse", "refs/heads/yours")
        return self.git(
            "pack-objects", "--revs", "--stdout", "-q", data=f"{wanted}^{yours}\n".encode()
        )

    def content(self, oid: str) -> bytes:
        """The bytes of a file."""
        return self.git("cat-file", "blob", oid)

    def merge(self, base: str, ours: str, theirs: str, name: str) -> Merged:
        """Merge the template's way from `base` to `theirs` into the project's tree `ours`."""
        root = self._commit(base, "refs/heads/base")
        self._commit(ours, "refs/heads/yours", root)
        self._commit(theirs, f"refs/heads/{name}", root)
        settings = [option for key, value in MERGE.items() for option in ("-c", f"{key}={value}")]
        command = [*settings, "merge-tree", "--write-tree", "-z", "--messages", "yours", name]
        try:
            output = self.git(*command)
        except subprocess.CalledProcessError as error:
            if error.returncode != 1:  # 1: there are conflicts
                raise
            output = error.output
        return self._resolved(_read(output, ours))

    def _commit(self, tree: str, ref: str, *parents: str) -> str:
        options = [option for parent in parents for option in ("-p", parent)]
        commit = self.text("commit-tree", *options, "-m", ref, tree)
        self.git("update-ref", ref, commit)
        return commit

    def _resolved(self, merged: Merged) -> Merged:
        """A file that the owner deleted stays deleted, even if the template has changed it."""
        sides: dict[str, set[int]] = {}
        for stage in merged.stages:
            sides.setdefault(stage.path, set()).add(stage.stage)
        gone = [
            conflict.path
            for conflict in merged.conflicts
            if conflict.kind == "modify/delete" and sides.get(conflict.path) == {1, 3}
        ]
        if gone:
            merged.tree = self.with_changes(merged.tree, dict.fromkeys(gone))
            merged.stages = [stage for stage in merged.stages if stage.path not in gone]
            merged.conflicts = [one for one in merged.conflicts if one.path not in gone]
            merged.kept_deleted = sorted(gone)
        return merged


def entries(listing: bytes) -> dict[str, Entry]:
    """Understand `git ls-tree -r -z`."""
    found = {}
    for line in listing.split(b"\0"):
        if line:
            description, _, path = line.partition(b"\t")
            mode, _, oid = description.decode().split()
            found[os.fsdecode(path)] = Entry(mode, oid)
    return found


def difference(old: Mapping[str, Entry], new: Mapping[str, Entry]) -> dict[str, Entry | None]:
    """The files that differ, each as it is in the new tree."""
    return {
        path: new.get(path)
        for path in sorted(old.keys() | new.keys())
        if old.get(path) != new.get(path)
    }


def index_lines(changed: Mapping[str, Entry | None], zero: str, prefix: str = "") -> bytes:
    """What `git update-index -z --index-info` reads; what goes is said first."""
    lines = [f"{NOTHING} {zero}\t{prefix}{path}" for path, entry in changed.items() if not entry]
    lines += [
        f"{entry.mode} {entry.oid}\t{prefix}{path}" for path, entry in changed.items() if entry
    ]
    return b"".join(os.fsencode(line) + b"\0" for line in lines)


def _read(output: bytes, ours: str) -> Merged:
    """Understand `git merge-tree -z`: tree, conflicted files, then messages in groups."""
    head, _, rest = output.partition(b"\0")
    merged = Merged(ours, head.decode())
    files, _, messages = (
        rest.partition(b"\0\0") if not rest.startswith(b"\0") else (b"", b"", rest[1:])
    )
    for line in files.split(b"\0") if files else []:
        description, _, file = line.partition(b"\t")
        mode, oid, stage = description.decode().split()
        merged.stages.append(Stage(mode, oid, int(stage), os.fsdecode(file)))
    unmerged = {stage.path for stage in merged.stages}
    told: dict[str, Conflict] = {}
    for paths, kind, message in _groups(messages):
        if kind.startswith("CONFLICT"):
            short = kind.removeprefix("CONFLICT (").rstrip(")")
            for path in paths:
                if path in unmerged or len(paths) == 1:
                    told.setdefault(path, Conflict(path, short, message))
    for name in sorted(unmerged - told.keys()):
        told[name] = Conflict(name, "unmerged", f"CONFLICT in {name}")
    merged.conflicts = [told[path] for path in sorted(told)]
    return merged


def _groups(messages: bytes) -> Iterator[tuple[list[str], str, str]]:
    fields: Sequence[bytes] = messages.split(b"\0")
    position = 0
    while position < len(fields) - 1:
        count = int(fields[position])
        paths = [os.fsdecode(path) for path in fields[position + 1 : position + 1 + count]]
        kind, message = (os.fsdecode(text) for text in fields[position + 1 + count :][:2])
        yield paths, kind, " ".join(message.split())
        position += count + 3


@contextlib.contextmanager
def workspace(project: Project) -> Iterator[Workspace]:
    """A place to merge in, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="mlmw-", ignore_cleanup_errors=True) as temporary:
        repository = Path(temporary) / "merge.git"
        repository.mkdir()
        kind = project.text("rev-parse", "--show-object-format")
        init = ("init", "--quiet", "--bare", "--template=", f"--object-format={kind}")
        git.own(repository, *init)
        objects = (project.top / project.text("rev-parse", "--git-path", "objects")).resolve()
        alternates = repository / "objects" / "info" / "alternates"
        quoted = re.sub(r'(["\\])', r"\\\1", objects.as_posix()).replace("\n", r"\n")
        alternates.write_bytes(os.fsencode(f'"{quoted}"\n'))
        yield Workspace(repository)

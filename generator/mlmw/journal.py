"""The journal of an update: what is under way in a project, from its first change to its commit.

It names trees, so that every step of publishing can be repeated or reversed.
"""

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from mlmw.errors import Refusal
from mlmw.merge import Conflict, Entry, Stage, entries
from mlmw.project import Project

PUBLISHING, ABORTING, OPEN, DONE = "publishing", "aborting", "open", "done"


@dataclass
class Journal:
    """What an update does to a project, from before its first change until it is committed."""

    action: str
    old: str  # versions
    new: str
    head: str  # the commit that the project was at
    before: str  # the commit of the state before, which is `head` unless something was staged
    ours: str  # the project's tree before
    result: str  # and after
    conflicts: list[Conflict] = field(default_factory=list)
    stages: list[Stage] = field(default_factory=list)
    sidecars: dict[str, str] = field(default_factory=dict)  # path: object
    adopted: list[str] = field(default_factory=list)  # untracked before, the same as the template's
    previous: Self | None = None  # of an update that is staged, and that this one goes on from
    # Fingerprints of what each file was before and is after, as it lies on this disk.
    known: dict[str, list[str]] = field(default_factory=dict)
    phase: str = PUBLISHING
    workshop: str | None = None  # a folder of its own in the project, where it needs one

    @classmethod
    def read(cls, project: Project) -> Self | None:
        """The journal of the last update, or `None`; raises `Refusal` if it is damaged."""
        path = _path(project)
        try:
            return cls._of(json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError) as error:
            why = f"the journal of its last update cannot be read ({type(error).__name__})"
            remedy = f"compare with the last refs/mlmw/before{project.label}/N, restore what you "
            remedy += f"need, then delete {str(path)!r}"
            raise Refusal(f"project {project.given!r}", why, remedy) from None

    @classmethod
    def _of(cls, content: dict[str, Any]) -> Self:
        content["conflicts"] = [Conflict(**one) for one in content["conflicts"]]
        content["stages"] = [Stage(**one) for one in content["stages"]]
        content["previous"] = content["previous"] and cls._of(content["previous"])
        return cls(**content)

    @property
    def unmerged(self) -> set[str]:
        """The files that it leaves with conflicts in the index."""
        return {stage.path for stage in self.stages}

    def trees(self, project: Project) -> tuple[dict[str, Entry], dict[str, Entry]]:
        """Every file before, and after."""
        listings = (
            project.git("ls-tree", "-r", "-z", "--full-tree", tree)
            for tree in (self.ours, self.result)
        )
        before, after = map(entries, listings)
        return before, after

    def know(self, path: str, fingerprint: str | None) -> None:
        """Remember a fingerprint."""
        known = self.known.setdefault(path, [])
        if fingerprint is not None and fingerprint not in known:
            known.append(fingerprint)

    def write(self, project: Project) -> None:
        """Write it whole or not at all."""
        path = _path(project)
        path.parent.mkdir(exist_ok=True)
        temporary = path.with_suffix(".new")
        temporary.write_text(json.dumps(asdict(self), indent=2), encoding="utf-8")
        with temporary.open("rb+") as file:  # its name must not reach the disk before it does
            os.fsync(file.fileno())
        temporary.replace(path)

    def forget(self, project: Project) -> None:
        """It is undone: the update before it, if there is one, is the last one again."""
        if self.previous:
            self.previous.write(project)
        else:
            _path(project).unlink(missing_ok=True)


def folder(project: Project) -> Path:
    """Where mlmw keeps what it must remember of a project, inside its repository."""
    return project.git_dir / "mlmw"


def _path(project: Project) -> Path:
    return folder(project) / f"journal{project.label}.json"


@contextlib.contextmanager
def alone(project: Project, seen: Journal | None) -> Iterator[None]:
    """Let no other mlmw publish meanwhile; the lock dies with its process.

    Raises `Refusal` where one does so, or has done since its journal was `seen`.
    """
    from filelock import FileLock, Timeout

    folder(project).mkdir(exist_ok=True)
    lock = FileLock(folder(project) / "running", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise busy(project) from None
    try:
        if Journal.read(project) != seen:
            raise busy(project)
        yield
    finally:
        lock.release()


def at_work(project: Project) -> bool:
    """Whether another mlmw publishes right now."""
    from filelock import FileLock, Timeout

    try:
        with FileLock(folder(project) / "running", timeout=0):
            return False
    except Timeout:
        return True
    except OSError:  # it cannot be written: nobody can publish there
        return False


def busy(project: Project) -> Refusal:
    """What to tell where another mlmw is at work."""
    why = "another mlmw is at work in its repository"
    return Refusal(
        f"project {project.given!r}", why, "wait until that has ended, then see mlmw status"
    )

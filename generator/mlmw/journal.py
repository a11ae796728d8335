"""The journal of an update: what is under way in a project, from its first change to its commit.

It names trees, so that every step of publishing can be repeated or reversed.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from mlmw.merge import Conflict, Stage
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
    phase: str = PUBLISHING

    @classmethod
    def read(cls, project: Project) -> Self | None:
        """The journal of the last update, or `None`."""
        try:
            content: dict[str, Any] = json.loads(_path(project).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        content["conflicts"] = [Conflict(**one) for one in content["conflicts"]]
        content["stages"] = [Stage(**one) for one in content["stages"]]
        return cls(**content)

    def write(self, project: Project) -> None:
        """Write it whole or not at all."""
        path = _path(project)
        path.parent.mkdir(exist_ok=True)
        temporary = path.with_suffix(".new")
        temporary.write_text(json.dumps(asdict(self), indent=2), encoding="utf-8")
        temporary.replace(path)


def forget(project: Project) -> None:
    """Remove the journal."""
    _path(project).unlink(missing_ok=True)


def folder(project: Project) -> Path:
    """Where mlmw keeps what it must remember of a project, inside its repository."""
    return project.git_dir / "mlmw"


def _path(project: Project) -> Path:
    return folder(project) / f"journal{project.label}.json"

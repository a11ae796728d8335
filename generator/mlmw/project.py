"""A project that exists: its folder, and its place in a Git repository."""

import hashlib
import os
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import quote

from mlmw import git
from mlmw.answers import ANSWERS
from mlmw.errors import Refusal

OLDEST_GIT = (2, 38)  # the first with `git merge-tree --write-tree`
LONGEST = 200  # letters of a label: file systems allow 255 in a name
UNBORN = "commit it first: git add . && git commit"


@dataclass(frozen=True)
class Project:
    """A project in a repository, of which it may be a part only."""

    given: str  # as typed
    folder: Path  # absolute
    top: Path  # the repository's working tree
    git_dir: Path  # of this working tree
    prefix: str  # of the project's paths in the repository: empty, or ending with a slash

    @cached_property
    def label(self) -> str:
        """Tells several projects of one repository apart, in names of files and of refs."""
        name = quote(self.prefix.rstrip("/"), safe="").replace("~", "%7E").replace(".", "%2E")
        if len(name) > LONGEST:
            name = f"{name[:60]}-{hashlib.sha256(name.encode()).hexdigest()[:16]}"
        return f"-{name}" if name else ""

    @cached_property
    def index(self) -> Path:
        """The index of this working tree."""
        return self.top / self.text("rev-parse", "--git-path", "index")

    @cached_property
    def no_object(self) -> str:
        """What git writes where there is none: a name of zeros, as long as those of objects."""
        return "0" * len(self.text("rev-parse", "HEAD"))

    @property
    def after(self) -> str:
        """The reference that keeps an update's result until the next one in this working tree."""
        return f"refs/worktree/mlmw/update{self.label}"

    def git(
        self,
        *arguments: str,
        data: bytes | None = None,
        index: Path | None = None,
        work_tree: Path | None = None,
    ) -> bytes:
        """Run plumbing at the top of the repository, or of another working tree.

        Raises `CalledProcessError`.
        """
        extra = {"GIT_INDEX_FILE": str(index)} if index else {}
        if work_tree:
            extra |= {"GIT_DIR": str(self.git_dir), "GIT_WORK_TREE": str(work_tree)}
        return git.plumb(work_tree or self.top, *arguments, data=data, environment=extra)

    def text(self, *arguments: str) -> str:
        """What a command prints, as one stripped text."""
        return os.fsdecode(self.git(*arguments)).strip()

    def tree(self, commit: str = "HEAD") -> str:
        """The tree of the project's own folder in a commit."""
        return self.text("rev-parse", "--verify", "--quiet", f"{commit}:{self.prefix.rstrip('/')}")

    def changes(self) -> list[tuple[str, str]]:
        """Uncommitted changes of tracked files: two letters as in `git status`, and the path."""
        listing = self.git(
            *("status", "--porcelain=v1", "-z", "--untracked-files=no", "--no-renames"),
            *("--ignore-submodules=dirty", "--", self.prefix or "."),
        )
        entries = [os.fsdecode(entry) for entry in listing.split(b"\0") if entry]
        return [(entry[:2], entry[3:]) for entry in entries]


def check_folder(given: str) -> Path:
    """The project's folder; raises `Refusal` if there is none."""
    what = f"PATH {given!r}"
    if not given.strip():
        raise Refusal(what, "it is empty", "leave it out, or give the folder of a project")
    folder = Path(os.path.abspath(given))
    if not folder.is_dir():
        raise Refusal(what, "there is no such folder", "give the folder of a project")
    if not os.path.lexists(folder / ANSWERS) and not _interrupted(folder):
        above = next((place for place in folder.parents if (place / ANSWERS).is_file()), None)
        remedy = (
            f"did you mean {str(above)!r}?"
            if above
            else "go to a project or give its PATH; if it had one, restore it from git"
        )
        raise Refusal(what, f"it has no {ANSWERS}, by which projects are known", remedy)
    return folder


def _interrupted(folder: Path) -> bool:
    """Whether an update was killed in the moment in which it replaced the answers."""
    try:
        place = git.plumb(folder, "rev-parse", "--absolute-git-dir")
    except (OSError, subprocess.CalledProcessError):
        return False
    return any((Path(os.fsdecode(place).strip()) / "mlmw").glob("journal*.json"))


def find(given: str) -> Project:
    """The project in a folder; raises `Refusal` where it cannot be updated."""
    git.drop_redirections()
    folder = check_folder(given)
    what = f"project {given!r}"
    try:
        numbers = git.version(folder)
    except (OSError, subprocess.CalledProcessError):
        raise Refusal(what, "git was not found", "install git: it merges the changes") from None
    if numbers < OLDEST_GIT:
        have, need = (".".join(map(str, version)) for version in (numbers, OLDEST_GIT))
        raise Refusal(what, f"git {have} is too old to merge", f"install git {need} or newer")
    try:
        top, git_dir, prefix = (
            os.fsdecode(git.plumb(folder, "rev-parse", option)).removesuffix("\n")
            for option in ("--show-toplevel", "--absolute-git-dir", "--show-prefix")
        )
    except (OSError, subprocess.CalledProcessError) as error:
        said = git.first_line(error)
        if "not a git repository" in said:
            remedy = f"make it one: git init && {UNBORN.removeprefix('commit it first: ')}"
            raise Refusal(what, "it is in no Git repository", remedy) from None
        raise Refusal(what, f"git refuses ({said})", "see git's advice on it") from None
    project = Project(given, folder, Path(top), Path(git_dir), prefix)
    try:
        project.tree()
    except subprocess.CalledProcessError:
        raise Refusal(what, "its files are in no commit yet", UNBORN) from None
    return project

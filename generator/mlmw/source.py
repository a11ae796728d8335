"""Where templates are: a checkout, a URL, or the history that mlmw carries and keeps under `~`.

A version is a tag such as v1.2.0, or any commit. Everything is read through a temporary bare clone.
"""

import contextlib
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mlmw import git, history
from mlmw.errors import Refusal
from mlmw.history import KEPT
from mlmw.template import template_root

ALIASES = {"gh:": "https://github.com/", "gl:": "https://gitlab.com/"}
RELEASE = re.compile(r"v?(\d+(?:\.\d+)*)")


def normal(given: str) -> str:
    """A source as a project records it: a URL as it is, a place on disk absolute or below `~`."""
    if is_url(given):
        return given
    path = Path(given).expanduser()
    path = Path(os.path.abspath(path))
    with contextlib.suppress(ValueError, RuntimeError):
        return f"~/{path.relative_to(Path.home()).as_posix()}"
    return str(path)


def is_url(source: str) -> bool:
    """Whether a source is on another machine, or anything else that is no path."""
    return bool(re.match(r"[\w+.-]{2,}:|[^/\\]+@[^/\\]+:", source))


def address(source: str) -> str:
    """What git is told to clone."""
    for alias, prefix in ALIASES.items():
        if source.startswith(alias):
            return prefix + source.removeprefix(alias).lstrip("/")
    if is_url(source):
        return source.removeprefix("git+")
    return str(Path(source).expanduser())


def own() -> tuple[str, str | None]:
    """Source and version that a project from mlmw's own template records.

    The version is `None` for a checkout: there it is the commit that Copier sees.
    """
    root = template_root()
    if (root / ".git").exists():
        return normal(str(root)), None
    known = history.provenance(root)
    return known["origin"] or KEPT, known["commit"]


@dataclass(frozen=True)
class Template:
    """A template with its history, in a bare clone that vanishes when it was used."""

    source: str  # as a project records it
    repository: Path

    def commit(self, version: str) -> str:
        """The commit that a version names; raises `Refusal`."""
        names = [version, f"v{version}"] if RELEASE.fullmatch(version) else [version]
        for name in names if not version.startswith("-") and "\n" not in version else []:
            for place in (name, f"refs/heads/{name}"):
                asked = f"{place}^{{commit}}\n".encode()
                try:
                    answer = git.own(
                        self.repository, "cat-file", "--batch-check=%(objectname)", data=asked
                    )
                except subprocess.CalledProcessError:  # it asks for what no clone has: a reflog
                    continue
                if re.fullmatch(rb"[0-9a-f]{40,64}\n", answer):
                    return answer.decode().strip()
        known = ", ".join(self.releases()[-5:]) or "none is tagged"
        why = f"the template at {self.source!r} does not have it"
        raise Refusal(f"version {version!r}", why, f"its releases: {known}")

    def name(self, commit: str) -> str:
        """A commit as the nearest tag describes it, as Copier records it too."""
        described = git.own(self.repository, "describe", "--tags", "--always", commit)
        return described.decode().strip()

    def releases(self) -> list[str]:
        """Tags of releases, the oldest first."""
        tags = git.own(self.repository, "tag", "--list").decode().split()
        return sorted(filter(RELEASE.fullmatch, tags), key=_numbers)

    def newest(self) -> str:
        """The newest release, or else the newest commit."""
        releases = self.releases()
        return releases[-1] if releases else "HEAD"

    def contains(self, descendant: str, commit: str) -> bool:
        """Whether a commit is part of another one's history."""
        return git.contains(self.repository, descendant, commit)

    def ahead(self, newer: str, older: str) -> int:
        """How many commits the newer one has that the older one lacks."""
        return int(git.own(self.repository, "rev-list", "--count", f"{older}..{newer}"))

    def export(self, commit: str, folder: Path) -> None:
        """Write a version's files into a new folder."""
        folder.mkdir()
        index = str(self.repository / f"index-{commit}")
        extra = {"GIT_INDEX_FILE": index, "GIT_WORK_TREE": str(folder)}
        git.own(self.repository, "read-tree", commit, extra=extra)
        command = ("checkout-index", "--all", "--force", f"--prefix={folder.as_posix()}/")
        git.own(self.repository, *command, extra=extra)


def _numbers(tag: str) -> tuple[int, ...]:
    match = RELEASE.fullmatch(tag)
    assert match is not None  # releases() has filtered them
    return tuple(int(number) for number in match[1].split("."))


@contextlib.contextmanager
def opened(source: str, beside: Path | None = None) -> Iterator[Template]:
    """Clone a template's history for a while; raises `Refusal` where it cannot be read.

    Plain Copier may have recorded a relative path, which counts from `beside`, the project. Where
    this mlmw was built from the very source, what it carries serves without a network.
    """
    with tempfile.TemporaryDirectory(prefix="mlmw-", ignore_cleanup_errors=True) as temporary:
        repository = Path(temporary) / "template.git"
        if source == KEPT:
            _keep_or_tell()
        try:
            _clone(source, repository, beside)
        except Refusal:
            if not is_url(source) or source != own()[0]:
                raise
            _keep_or_tell()
            _clone(KEPT, repository)
        yield Template(source, repository)


def _keep_or_tell() -> None:
    try:
        history.keep()
    except (OSError, subprocess.CalledProcessError) as error:
        what, why = f"template {KEPT!r}", f"it cannot be written ({git.first_line(error)})"
        raise Refusal(what, why, "make room, or check its permissions") from None


def _clone(source: str, repository: Path, beside: Path | None = None) -> None:
    what, where = f"template {source!r}", address(source)
    if not is_url(source):
        where = str((beside or Path.cwd()) / where)
    if not is_url(source) and not os.path.exists(where):
        remedy = "give the place that it has now: --template SRC"
        raise Refusal(what, "it is not on this machine", remedy)
    options = ["--quiet", "--bare", "--template=", "--", where, str(repository)]
    try:
        git.plumb(repository.parent, "clone", *options)
    except (OSError, subprocess.CalledProcessError) as error:
        why = f"git cannot read it ({git.first_line(error)})"
        raise Refusal(what, why, "check the address, the network and your access") from None

"""Where templates are: a checkout, a URL, or the history that mlmw carries and keeps under `~`.

A version is a tag such as v1.2.0, or any commit. Everything is read through a temporary bare clone.
"""

import contextlib
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mlmw import __version__, git
from mlmw.errors import Refusal
from mlmw.template import template_root

# The same on every system, so that what a project records can be found by a colleague.
HOME = "~/.mlmw"
KEPT = f"{HOME}/template.bundle"
HISTORY, PROVENANCE = "history.bundle", "provenance.json"
PARTS = ("copier.yml", "template", "recipes", "generator/mlmw/reserved-names.yml")
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


# --- mlmw's own template --------------------------------------------------------------------------


def provenance(root: Path) -> dict[str, str | None]:
    """What the build of this mlmw wrote down: `commit`, and `origin` where it has a public one."""
    try:
        content = json.loads((root / PROVENANCE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {"commit": f"v{__version__}", "origin": None}
    return dict(content)


def own() -> tuple[str, str | None]:
    """Source and version that a project from mlmw's own template records.

    The version is `None` for a checkout: there it is the commit that Copier sees.
    """
    root = template_root()
    if (root / ".git").exists():
        return normal(str(root)), None
    known = provenance(root)
    return known["origin"] or KEPT, known["commit"]


def keep() -> None:
    """Bring the bundle under `~` up to date with what this mlmw carries.

    It only ever grows: versions of other mlmws that were installed before stay in it.
    Raises `OSError` or `CalledProcessError`.
    """
    root = template_root()
    kept, carried = Path(KEPT).expanduser(), root / HISTORY
    if carried.is_file():
        if kept.is_file() and _heads(carried) <= _heads(kept):
            return
        if not kept.exists():
            _replace(kept, carried.read_bytes())
            return
    with tempfile.TemporaryDirectory(prefix="mlmw-") as temporary:
        repository = Path(temporary) / "union.git"
        repository.mkdir()
        git.own(repository, "init", "--quiet", "--bare", "--initial-branch=main", "--template=")
        if carried.is_file():
            git.own(repository, "fetch", "--quiet", str(carried), "+refs/*:refs/new/*")
        elif (root / ".git").exists():
            wanted = ("+HEAD:refs/new/heads/main", "+refs/tags/*:refs/new/tags/*")
            git.own(repository, "fetch", "--quiet", "--no-tags", str(root), *wanted)
        else:
            _snapshot(repository, root)
        tip = git.own(repository, "rev-parse", "refs/new/heads/main").strip()
        if kept.is_file():
            if tip in _heads(kept):
                return
            git.own(repository, "fetch", "--quiet", "--no-tags", str(kept), "+refs/*:refs/kept/*")
        _unite(repository)
        union = Path(temporary) / "union.bundle"
        git.own(
            repository, "bundle", "create", "--quiet", str(union), "HEAD", "--branches", "--tags"
        )
        _replace(kept, union.read_bytes())


def _heads(bundle: Path) -> set[bytes]:
    """The commits that a bundle's header names."""
    heads = set()
    with bundle.open("rb") as file:
        for line in file:
            if not line.strip():
                break
            if re.match(rb"[0-9a-f]{40,64} ", line):
                heads.add(line.split()[0])
    return heads


def _snapshot(repository: Path, root: Path) -> None:
    """Commit the unpacked template as refs/new; the same bytes give the same commit everywhere."""
    index = str(repository / "snapshot-index")
    work = {"GIT_INDEX_FILE": index, "GIT_WORK_TREE": str(root)}
    found = [part for part in PARTS if (root / part).exists()]
    excluded = [f":(exclude,glob)**/{name}" for name in ("__pycache__/**", "*.pyc")]
    globbing = work | {"GIT_LITERAL_PATHSPECS": "0"}
    git.own(repository, "add", "--force", "--", *found, *excluded, extra=globbing)
    tree = git.own(repository, "write-tree", extra=work).decode().strip()
    message = f"mlmw {__version__}"
    commit = git.own(repository, "commit-tree", "-m", message, tree).decode().strip()
    for name in ("heads/main", f"tags/v{__version__}"):
        git.own(repository, "update-ref", f"refs/new/{name}", commit)


def _unite(repository: Path) -> None:
    """Turn refs/kept and refs/new into one set of branches and tags, none of them lost."""
    listing = git.own(repository, "for-each-ref", "--format=%(objectname) %(refname)")
    lines = [line.split(" ", 1) for line in listing.decode().splitlines()]
    refs = {name: commit for commit, name in lines}
    commands = []
    for name, commit in sorted(refs.items()):  # kept before new: of two tags the newer counts
        _, _, kind, short = name.split("/", 3)
        target = f"refs/tags/{short}" if kind == "tags" else f"refs/heads/{commit}"
        commands.append(f"update {target} {commit}\n")
    newest = refs.get("refs/kept/heads/main")
    carried = refs.get("refs/new/heads/main")
    if newest is None or (carried and not _contains(repository, newest, carried)):
        newest = carried
    commands += [f"update refs/heads/main {newest}\n", *(f"delete {name}\n" for name in refs)]
    git.own(repository, "update-ref", "--stdin", data="".join(commands).encode())


def _contains(repository: Path, descendant: str, commit: str) -> bool:
    try:
        git.own(repository, "merge-base", "--is-ancestor", commit, descendant)
    except subprocess.CalledProcessError:
        return False
    return True


def _replace(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.urandom(4).hex()}")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


# --- Any template ---------------------------------------------------------------------------------


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
                answer = git.own(
                    self.repository, "cat-file", "--batch-check=%(objectname)", data=asked
                )
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
        return _contains(self.repository, descendant, commit)

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
def opened(source: str) -> Iterator[Template]:
    """Clone a template's history for a while; raises `Refusal` where it cannot be read.

    Where this mlmw was built from the very source, what it carries serves without a network.
    """
    with tempfile.TemporaryDirectory(prefix="mlmw-", ignore_cleanup_errors=True) as temporary:
        repository = Path(temporary) / "template.git"
        if source == KEPT:
            _keep_or_tell()
        try:
            _clone(source, repository)
        except Refusal:
            if not is_url(source) or source != own()[0]:
                raise
            _keep_or_tell()
            _clone(KEPT, repository)
        yield Template(source, repository)


def _keep_or_tell() -> None:
    try:
        keep()
    except (OSError, subprocess.CalledProcessError) as error:
        what, why = f"template {KEPT!r}", f"it cannot be written ({git.first_line(error)})"
        raise Refusal(what, why, "make room, or check its permissions") from None


def _clone(source: str, repository: Path) -> None:
    what, where = f"template {source!r}", address(source)
    if not is_url(source) and not os.path.exists(where):
        remedy = "give the place that it has now: --template SRC"
        raise Refusal(what, "it is not on this machine", remedy)
    options = ["--quiet", "--bare", "--template=", "--", where, str(repository)]
    try:
        git.plumb(repository.parent, "clone", *options)
    except (OSError, subprocess.CalledProcessError) as error:
        why = f"git cannot read it ({git.first_line(error)})"
        raise Refusal(what, why, "check the address, the network and your access") from None

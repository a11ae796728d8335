"""The history of mlmw's own template: carried in the wheel, kept as a bundle under `~`.

Projects record the kept bundle as their source, so that plain `copier update` finds every version
without a network, on each machine where mlmw is installed.
"""

import json
import os
import re
import subprocess
import tempfile
from pathlib import Path

from mlmw import __version__, git
from mlmw.template import template_root

# The same on every system, so that what a project records can be found by a colleague.
KEPT = "~/.mlmw/template.bundle"
HISTORY, PROVENANCE = "history.bundle", "provenance.json"
PARTS = ("copier.yml", "template", "recipes", "generator/mlmw/reserved-names.yml")
LEFTOVERS = ("__pycache__/**", "*.pyc", ".*_cache/**", ".DS_Store")
FETCH = ("fetch", "--quiet", "--no-tags")  # no tags but those that are named
PUBLIC = re.compile(r"(https://|ssh://|git@)")


def provenance(root: Path) -> dict[str, str | None]:
    """What the build of this mlmw wrote down: `commit`, and `origin` where it has a public one."""
    try:
        content = json.loads((root / PROVENANCE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {"commit": f"v{__version__}", "origin": None}
    return dict(content)


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
    with tempfile.TemporaryDirectory(prefix="mlmw-", ignore_cleanup_errors=True) as temporary:
        repository = _bare(Path(temporary))
        if carried.is_file():
            git.own(repository, *FETCH, str(carried), "+refs/*:refs/new/*")
        elif (root / ".git").exists():
            _fetch_checkout(repository, root, "refs/new/")
        else:
            tip = _snapshot(repository, root)
            for name in ("heads/main", f"tags/v{__version__}"):
                git.own(repository, "update-ref", f"refs/new/{name}", tip)
        if kept.is_file():
            tip = git.own(repository, "rev-parse", "refs/new/heads/main").decode().strip()
            if tip.encode() in _heads(kept):
                return
            git.own(repository, *FETCH, str(kept), "+refs/*:refs/kept/*")
        _unite(repository)
        _replace(kept, _bundle(repository))


def carry(root: Path, folder: Path) -> bool:
    """Write what a wheel carries: the history of a checkout, up to the files as they are now.

    Returns False where there is no whole history to carry: then mlmw makes do with one version.
    """
    shallow = ("rev-parse", "--is-shallow-repository")
    if not (root / ".git").exists() or git.plumb(root, *shallow).strip() == b"true":
        return False
    with tempfile.TemporaryDirectory(prefix="mlmw-", ignore_cleanup_errors=True) as temporary:
        repository = _bare(Path(temporary))
        _fetch_checkout(repository, root, "refs/")
        head = git.own(repository, "rev-parse", "refs/heads/main").decode().strip()
        tip = _snapshot(repository, root, head)
        git.own(repository, "update-ref", "refs/heads/main", tip)
        commit = git.own(repository, "describe", "--tags", "--always", tip).decode().strip()
        (folder / HISTORY).write_bytes(_bundle(repository))
    origin = _public_origin(root) if commit == f"v{__version__}" else None
    known = {"commit": commit, "origin": origin}
    (folder / PROVENANCE).write_text(json.dumps(known, indent=2) + "\n", encoding="utf-8")
    return True


def _public_origin(root: Path) -> str | None:
    """The address that a checkout was cloned from, if others can reach it; without passwords."""
    try:
        url = git.plumb(root, "remote", "get-url", "origin").decode().strip()
    except subprocess.CalledProcessError:
        return None
    return re.sub(r"^(https://)[^/@]*@", r"\1", url) if PUBLIC.match(url) else None


def _bare(folder: Path) -> Path:
    repository = folder / "history.git"
    repository.mkdir()
    git.own(repository, "init", "--quiet", "--bare", "--initial-branch=main", "--template=")
    return repository


def _fetch_checkout(repository: Path, root: Path, prefix: str) -> None:
    wanted = (f"+HEAD:{prefix}heads/main", f"+refs/tags/*:{prefix}tags/*")
    command = (*FETCH, str(root), *wanted)
    # With the user's settings: they may say that this checkout of another owner is safe.
    git.plumb(repository, *command, environment={"GIT_DIR": str(repository)})


def _bundle(repository: Path) -> bytes:
    path = repository / "all.bundle"
    options = ("--quiet", str(path), "HEAD", "--branches", "--tags")
    git.own(repository, "bundle", "create", *options)
    return path.read_bytes()


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


def _snapshot(repository: Path, root: Path, parent: str | None = None) -> str:
    """Commit the template's files as they are; the same files give the same commit everywhere."""
    work = {"GIT_INDEX_FILE": str(repository / "snapshot-index"), "GIT_WORK_TREE": str(root)}
    if parent:
        git.own(repository, "read-tree", parent, extra=work)
    found = [part for part in PARTS if (root / part).exists()]
    excluded = [f":(exclude,glob)**/{name}" for name in LEFTOVERS]
    globbing = work | {"GIT_LITERAL_PATHSPECS": "0"}
    git.own(repository, "add", "--all", "--force", "--", *found, *excluded, extra=globbing)
    tree = git.own(repository, "write-tree", extra=work).decode().strip()
    if parent and git.own(repository, "rev-parse", f"{parent}^{{tree}}").decode().strip() == tree:
        return parent
    parents = ["-p", parent] if parent else []
    command = ("commit-tree", *parents, "-m", f"mlmw {__version__}", tree)
    return git.own(repository, *command).decode().strip()


def _unite(repository: Path) -> None:
    """Turn refs/kept and refs/new into one set of branches and tags, none of them lost."""
    listing = git.own(repository, "for-each-ref", "--format=%(objectname) %(refname)")
    lines = [line.split(" ", 1) for line in listing.decode().splitlines()]
    refs = {name: commit for commit, name in lines}
    wanted = {}
    for name, commit in sorted(refs.items()):  # kept before new: of two tags the newer counts
        _, _, kind, short = name.split("/", 3)
        wanted[f"refs/tags/{short}" if kind == "tags" else f"refs/heads/{commit}"] = commit
    newest = refs.get("refs/kept/heads/main")
    carried = refs["refs/new/heads/main"]
    if newest is None or not git.contains(repository, newest, carried):
        newest = carried
    commands = [f"update {name} {commit}\n" for name, commit in wanted.items()]
    commands += [f"update refs/heads/main {newest}\n", *(f"delete {name}\n" for name in refs)]
    git.own(repository, "update-ref", "--stdin", data="".join(commands).encode())


def _replace(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.urandom(4).hex()}")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)

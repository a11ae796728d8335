"""What a check has read when it passed: the reason why it need not be run again.

Evidence holds for another project, or at another time, where everything that was read is the same:
files and folders of the project, the packages and their versions.
"""

import hashlib
import json
import os
import re
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path

from projects import OWN, PACKAGE, ROOT

from proof.environment import TRACE, Packages, site_packages

STORE = ROOT / "build" / "evidence"


@dataclass(frozen=True)
class Subject:
    """A project as the checks see it.

    Attributes:
        label: its name.
        folder: where it is.
        python: its interpreter.
        files: its rendered files.
        packages: the distributions of its environment, as `name==version`.
    """

    label: str
    folder: Path
    python: Path
    files: Mapping[str, bytes]
    packages: frozenset[str]

    def hash(self, path: str) -> str | None:
        """The SHA-256 of a rendered file; None where there is none.

        Of pyproject.toml the settings of the tools count: the dependencies are in the environment.
        Of README.md the marks count between which `report` writes: it keeps whatever else is there.
        """
        return _hash(path, self.files[path]) if path in self.files else None

    def listing(self, folder: str) -> list[str]:
        """The names of what is rendered in a folder."""
        prefix = "" if folder == "." else f"{folder}/"
        inside = [path[len(prefix) :] for path in self.files if path.startswith(prefix)]
        return sorted({path.split("/")[0] for path in inside})

    def source(self, module: str) -> str | None:
        """The file of a module of the project's own package; None where there is no such module."""
        stem = "src/" + module.replace(".", "/")
        found = (path for path in (f"{stem}.py", f"{stem}/__init__.py") if path in self.files)
        return next(found, None)


@cache
def _hash(path: str, content: bytes) -> str:
    if path == "pyproject.toml":
        content = json.dumps(tomllib.loads(content.decode())["tool"]).encode()
    elif path == "README.md":
        content = b"\n".join(re.findall(rb"<!-- /?report:.*? -->", content))
    return hashlib.sha256(content).hexdigest()


@dataclass(frozen=True)
class Evidence:
    """One check that passed, and all that it depended on."""

    check: str
    label: str
    seconds: float
    asked: list[str] = field(default_factory=list)
    files: dict[str, str | None] = field(default_factory=dict)
    listings: dict[str, list[str]] = field(default_factory=dict)
    modules: dict[str, bool] = field(default_factory=dict)
    packages: list[str] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)  # what else has passed, each by itself

    def holds_for(self, subject: Subject, asked: Sequence[str]) -> bool:
        """Whether a run in `subject`, asked to do this or less, would do and read the same."""
        return (
            set(self.asked).issuperset(asked)
            and subject.packages.issuperset(self.packages)
            and all(subject.hash(path) == found for path, found in self.files.items())
            and all(subject.listing(path) == names for path, names in self.listings.items())
            and all(bool(subject.source(name)) == there for name, there in self.modules.items())
        )


def gather(
    check: str,
    asked: Sequence[str],
    subject: Subject,
    seconds: float,
    traces: Path,
    copies: list[Path],
    environment: Packages,
) -> Evidence | None:
    """Turn what the processes of a check wrote down into evidence.

    None where a process could not be followed: then nothing is known about what it read.

    Args:
        check: its name.
        asked: what it was to do, where that is not the same in every project.
        subject: the project in which it passed.
        seconds: how long it took.
        traces: the folder of the trace's files.
        copies: other folders that hold the project's files.
        environment: whose packages the project uses.
    """
    lines = {line for path in traces.iterdir() for line in _lines(path)}
    if any(kind == "blind" for kind, _ in lines):
        return None
    modules = {text for kind, text in lines if kind == "import" and text.split(".")[0] == PACKAGE}
    # Wherever it was imported from: a model in a registry holds a copy of the package.
    files = {path for path in map(subject.source, modules) if path}
    listings: set[str] = set()
    used: set[str] = set()
    owners, roots = environment.owners, [str(subject.folder), *map(str, copies)]
    packages = [str(site_packages(subject.python))]
    pairs = [text.split("\t") for kind, text in lines if kind == "copy"]
    origins = {target: source for source, target in pairs}
    for kind, text in lines:
        inside = _below(text, packages)
        if inside is not None:
            if ".dist-info" not in inside:  # what it says of itself: read of all, used of few
                owner = owners.get(_source(inside))
                used |= {owner} if owner else set()
            continue
        path = _below(_origin(text, origins), roots)
        if path is None or OWN & set(Path(_source(path)).parts):
            continue
        path = Path(_source(path)).as_posix()
        if kind == "file":
            files.add(path)
        elif kind == "list" or (kind == "walk" and not path.startswith("src/")):
            listings.add(path)
    if check.startswith("tests/"):
        listings -= {".", "tests"}  # where pytest only looks for the way to what it was asked for
    return Evidence(
        check=check,
        label=subject.label,
        seconds=round(seconds, 2),
        asked=list(asked),
        files={path: subject.hash(path) for path in sorted(files)},
        listings={path: subject.listing(path) for path in sorted(listings)},
        modules={name: bool(subject.source(name)) for name in sorted(modules)},
        packages=environment.versions(used - {PACKAGE.replace("_", "-")}),
    )


def _lines(path: Path) -> list[tuple[str, str]]:
    text = path.read_bytes().decode(errors="surrogateescape")
    return [tuple(line.split("\t", 1)) for line in text.split("\n") if "\t" in line]  # type: ignore[misc]


def _origin(path: str, origins: Mapping[str, str]) -> str:
    """What a file is a copy of, by however many steps; the file itself where it is none."""
    seen = {path}
    while (source := origins.get(path, path)) not in seen:
        seen.add(path := source)
    return path


def _below(text: str, roots: list[str]) -> str | None:
    """The path relative to the first of the folders that holds it."""
    for root in roots:
        if text == root:
            return "."
        if text.startswith(root + os.sep):
            return os.path.normpath(text[len(root) + 1 :])
    return None


def _source(path: str) -> str:
    """The source of a compiled file; any other path as it is."""
    folder, name = os.path.split(path)
    if os.path.basename(folder) == "__pycache__":
        return os.path.normpath(os.path.join(folder, "..", f"{name.split('.')[0]}.py"))
    return path


class Store:
    """The evidence of earlier runs and of this one, by check."""

    def __init__(self) -> None:
        # Evidence is worth nothing once the proof itself, or this Python, is another one.
        parts = [*sorted(TRACE.parent.glob("*.py"))]
        content = b"".join(path.read_bytes() for path in parts) + sys.version.encode()
        self.folder = STORE / hashlib.sha256(content).hexdigest()[:16]
        self.known: dict[str, list[Evidence]] = {}
        for path in sorted(self.folder.glob("*.json")):
            found = Evidence(**json.loads(path.read_text(encoding="utf-8")))
            self.known.setdefault(found.check, []).append(found)

    def find(self, check: str, asked: Sequence[str], subject: Subject) -> list[Evidence]:
        """Evidence that a check would pass in a project; none where it must be run."""
        known = self.known.get(check, [])
        return [one for one in known if one.holds_for(subject, asked)][:1]

    def cover(self, check: str, parts: set[str]) -> list[Evidence]:
        """Evidence for each part of a project; none where one of them is not proved."""
        missing, found = set(parts), []
        for one in self.known.get(check, []):
            if missing.intersection(one.parts):
                missing.difference_update(one.parts)
                found.append(one)
        return [] if missing else found

    def add(self, evidence: Evidence) -> None:
        """Keep evidence for what follows, and for the next run."""
        self.known.setdefault(evidence.check, []).append(evidence)
        text = json.dumps(asdict(evidence), indent=1, ensure_ascii=False)
        name = hashlib.sha256(text.encode()).hexdigest()[:24]
        self.folder.mkdir(parents=True, exist_ok=True)
        temporary = self.folder / f".{name}"
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, self.folder / f"{name}.json")

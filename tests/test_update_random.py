"""Random edits of an owner against random changes of a template: nothing is ever lost.

    python -m pytest tests/test_update_random.py --examples 1000

Every line that the owner wrote has a number of its own, so that it can be found again wherever a
merge has put it: in a file, between markers, or in a sidecar.
"""

import json
import random
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import releases
from conftest import Mlmw
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from releases import Releases, commit, git, working_tree

from mlmw.answers import ANSWERS, MARKER

EXAMPLES = 60  # in every run of the tests; benchmarks/update.py runs 1,000
ATTRIBUTES = b"* text=auto eol=lf\n*.bin binary\n"
NAMES = ["plain.txt", "two words.py", "größe/ünï 🚀.md", "deep/er/file.toml", "data.bin", "run.sh"]
NEW_NAMES = ["new.txt", "größe/neu ö.md", "deep/er/new.toml", "ignored/new.txt", "plain.txt.d/x"]


def text(name: str) -> bytes:
    """What the template's first release has in a file."""
    return "".join(f"{name} line {number}\n" for number in range(12)).encode()


FIRST = {name: b"\0\1binary\n" if name == "data.bin" else text(name) for name in NAMES}


@dataclass
class Editor:
    """Changes files at random, and remembers what it has written."""

    who: str
    choose: random.Random
    written: set[bytes] = field(default_factory=set)

    def token(self) -> bytes:
        token = f"{self.who} wrote {len(self.written):03}".encode()
        self.written.add(token)
        return token

    def change(self, files: dict[str, bytes]) -> None:
        """Do one thing to one file."""
        name = self.choose.choice(sorted(files))
        actions = [self.edit, self.edit, self.edit, self.delete, self.rename, self.add]
        actions += [self.line_ends, self.no_final_newline, self.binary, self.rewrite]
        self.choose.choice(actions)(files, name)

    def edit(self, files: dict[str, bytes], name: str) -> None:
        lines = files[name].split(b"\n")
        for _ in range(self.choose.randint(1, 3)):
            place = self.choose.randrange(len(lines))
            kind = self.choose.choice(["insert", "replace", "delete"])
            if kind == "delete" and len(lines) > 1:
                del lines[place]
            else:
                lines[place : place + (kind == "replace")] = [self.token()]
        files[name] = b"\n".join(lines)

    def delete(self, files: dict[str, bytes], name: str) -> None:
        if len(files) > 1:
            del files[name]

    def rename(self, files: dict[str, bytes], name: str) -> None:
        files[f"{self.choose.choice(['', 'moved/'])}{self.who} {len(files)} ß.txt"] = files.pop(
            name
        )

    def add(self, files: dict[str, bytes], name: str) -> None:
        new = self.choose.choice(NEW_NAMES)
        if new not in files and not any(path.startswith(f"{new}/") for path in files):
            files[new] = b"\n".join([self.token(), *(self.token() for _ in range(3)), b""])

    def line_ends(self, files: dict[str, bytes], name: str) -> None:
        files[name] = files[name].replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")

    def no_final_newline(self, files: dict[str, bytes], name: str) -> None:
        files[name] = files[name].rstrip(b"\r\n")

    def binary(self, files: dict[str, bytes], name: str) -> None:
        files[name] = b"\0\xff" + self.token() + b"\0"

    def rewrite(self, files: dict[str, bytes], name: str) -> None:
        files[name] = b"\n".join(self.token() for _ in range(self.choose.randint(0, 5)))


def write(folder: Path, files: dict[str, bytes]) -> None:
    """Make a folder hold just these files, besides hidden ones."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.relative_to(folder).parts[0][0] != ".":
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


@dataclass(frozen=True)
class Case:
    """An owner's project, and a template with a newer release."""

    project: Path
    owner: Editor


def tree_paths_clash(files: dict[str, bytes]) -> bool:
    """Whether a name is a file and a folder at once, which no disk can hold."""
    return any(other.startswith(f"{name}/") for name in files for other in files)


def make_case(folder: Path, mlmw: Mlmw, seed: int) -> Case:
    """Draw a template's change and an owner's edits, and carry them out."""
    choose = random.Random(seed)
    attributes = {".gitattributes": ATTRIBUTES} if choose.random() < 0.5 else {}
    ignore = {".gitignore": b"/ignored/\n"}
    template, owner = Editor("template", choose), Editor("owner", choose)
    files = {editor.who: dict(FIRST) for editor in (template, owner)}
    for editor in (template, owner):
        for _ in range(choose.randint(1, 4)):
            before = dict(files[editor.who])
            editor.change(files[editor.who])
            if tree_paths_clash(files[editor.who]):
                files[editor.who] = before
    source = Releases(folder / "releases")
    source.add("v1.0.0", releases.small(FIRST | attributes | ignore))
    source.add("v2.0.0", releases.small(files["template"] | attributes | ignore))
    source.publish("v1.0.0")
    project = folder / "project"
    command = ("new", str(project), "--name=small", "--template", str(source.place), "--defaults")
    assert mlmw(*command).code == 0
    source.publish("v2.0.0")
    write(project, files["owner"])
    if choose.random() < 0.3:
        (project / choose.choice(sorted(files["owner"]))).chmod(0o755)
    commit(project)
    for name in files["owner"]:  # as a clone would have it: .gitattributes decides on line ends
        (project / name).unlink()
    git(project, "checkout", "--", ".")
    for name in NEW_NAMES:  # what git does not track
        place = project / name
        if choose.random() < 0.3 and not place.exists() and not clashes(project, name):
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(owner.token() + b"\n" + b"\0" * choose.randint(0, 1))
    return Case(project, owner)


def clashes(project: Path, name: str) -> bool:
    return any((project / parent).is_file() for parent in Path(name).parents)


def untracked(project: Path) -> dict[str, bytes]:
    listing = git(project, "ls-files", "--others", "-z").split("\0")
    return {name: (project / name).read_bytes() for name in listing if name}


def contents(project: Path) -> dict[str, bytes]:
    return {
        name: content for name, (_, content) in working_tree(project).items()
        if isinstance(content, bytes)
    }  # fmt: skip


def run_case(folder: Path, mlmw: Mlmw, seed: int) -> str:
    """Update one random project and check all that was promised; returns the result."""
    case = make_case(folder, mlmw, seed)
    project = case.project
    before, mine = working_tree(project), contents(project)
    not_tracked = untracked(project)
    tracked = {name: content for name, content in mine.items() if name not in not_tracked}
    command = mlmw("update", str(project), "--json")
    [outcome] = json.loads(command.out)
    conflicts = outcome["conflicts"]
    assert command.code == (3 if conflicts else 0), outcome
    after = contents(project)
    # What git does not track is as it was, and what is there besides are the sidecars named.
    sidecars = {one["sidecar"] for one in conflicts if one["sidecar"]}
    assert {name: after[name] for name in not_tracked} == not_tracked
    adopted = {name for name, content in not_tracked.items() if name not in untracked(project)}
    assert untracked(project).keys() == (not_tracked.keys() - adopted) | sidecars
    # Every line and every binary file of the owner is somewhere.
    everything = b"\n".join(after.values())
    for name, content in tracked.items():
        if b"\0" in content:
            assert content in after.values() or content == FIRST.get(name), (seed, name)
        for token in case.owner.written:
            if token in content:
                assert token in everything, (seed, name, token)
    # What the owner deleted is not back, unless that is one of the conflicts.
    listed = {one["path"] for one in conflicts}
    for name in FIRST.keys() - mine.keys():
        assert name not in after or name in listed, (seed, name)
    # No conflict is left that was not listed.
    unmerged = git(project, "ls-files", "--unmerged", "-z").split("\0")
    assert {entry.partition("\t")[2] for entry in unmerged if entry} <= listed
    marked = {name for name, content in after.items() if len(MARKER.findall(content)) > 1}
    assert marked <= listed
    assert b"v2.0.0" in after[ANSWERS]
    # And everything can be undone.
    assert mlmw("update", str(project), "--abort").code == 0
    assert working_tree(project) == before
    assert untracked(project) == not_tracked
    assert git(project, "status", "--porcelain", "--untracked-files=no") == ""
    return str(outcome["result"])


def test_nothing_is_lost(mlmw: Mlmw, pytestconfig: pytest.Config, tmp_path: Path) -> None:
    count = pytestconfig.getoption("examples") or EXAMPLES
    seen: list[str] = []

    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.integers(min_value=0, max_value=2**32))
    def one(seed: int) -> None:
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        try:
            seen.append(run_case(folder, mlmw, seed))
        finally:
            shutil.rmtree(folder)

    one()
    assert len(seen) >= count
    assert {"changed", "conflicts"} <= set(seen)
    print(f"{len(seen)} cases, {seen.count('conflicts')} of them with conflicts, 0 losses")

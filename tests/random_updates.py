"""Random edits of an owner, and random changes of a template, as cases for updates.

Every line that somebody writes has a number of its own, so that it can be found again wherever a
merge has put it: in a file, between markers, or in a sidecar.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import releases
from releases import Releases, commit, git, working_tree

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
    """An owner's project as it is before an update, and a template with a newer release."""

    project: Path
    owner: Editor
    before: dict[str, bytes]
    not_tracked: dict[str, bytes]

    def losses(self) -> list[str]:
        """What is nowhere any more, now that the project was updated."""
        after = contents(self.project)
        everything = b"\n".join(after.values())
        lost = []
        for name, content in self.before.items():
            if name in self.not_tracked:
                if after.get(name) != content:
                    lost.append(f"{name}: not tracked, and changed")
            elif b"\0" in content:
                if content not in after.values() and content not in FIRST.values():
                    lost.append(f"{name}: binary")
            else:
                tokens = sorted(token for token in self.owner.written if token in content)
                lost += [f"{name}: {token!r}" for token in tokens if token not in everything]
        return lost


def tree_paths_clash(files: dict[str, bytes]) -> bool:
    """Whether a name is a file and a folder at once, which no disk can hold."""
    return any(other.startswith(f"{name}/") for name in files for other in files)


def make_case(folder: Path, new: Callable[[Path, Path], None], seed: int) -> Case:
    """Draw a template's change and an owner's edits, and carry them out.

    `new` makes a project at its first argument, from the template at its second one.
    """
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
    new(project, source.place)
    source.publish("v2.0.0")
    write(project, files["owner"])
    if choose.random() < 0.3:
        (project / choose.choice(sorted(files["owner"]))).chmod(0o755)
    commit(project)
    for name in files["owner"]:  # as a clone would have it: .gitattributes decides on line ends
        (project / name).unlink()
    git(project, "checkout", "--", ".")
    chance = choose.choice([0, 0.5])
    for name in NEW_NAMES:  # what git does not track
        place = project / name
        if choose.random() < chance and not place.exists() and not clashes(project, name):
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(owner.token() + b"\n" + b"\0" * choose.randint(0, 1))
    return Case(project, owner, contents(project), untracked(project))


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

"""Histories of templates for the tests: releases of the real one, and of one made up."""

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from mlmw.history import PARTS
from mlmw.template import template_root

LEFTOVERS = shutil.ignore_patterns("__pycache__", "*.pyc", ".*_cache", ".DS_Store")
Change = Callable[[Path], None]


def git(folder: Path, *arguments: str) -> str:
    """Run git as somebody with a name."""
    who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false"]
    process = subprocess.run(
        ["git", *who, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return process.stdout.strip()


def commit(folder: Path, message: str = "My work") -> None:
    """Commit everything, ignored files excepted."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--no-verify", "--message", message)


def copy_project(project: Path, place: Path) -> Path:
    """A copy of a project, of which git knows the files, unless its index is locked."""
    shutil.copytree(project, place, symlinks=True)
    command = ["git", "update-index", "-q", "--unmerged", "--refresh"]
    subprocess.run(command, cwd=place, check=False, capture_output=True)
    return place


def pack(project: Path) -> Path:
    """Leave few files in a repository that will be copied many times."""
    git(project, "repack", "-a", "-d", "-q")
    return project


def append(path: Path, text: str) -> None:
    """Add text at the end of a file that must exist."""
    path.write_bytes(path.read_bytes() + text.encode())


def copy_template(folder: Path) -> None:
    """The files of the real template as they are now."""
    for part in PARTS:
        source, place = template_root() / part, folder / part
        place.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, place, ignore=LEFTOVERS)
        else:
            shutil.copy(source, place)


def second(root: Path) -> None:
    """What the second release of the real template changes in all projects, and in some."""
    template = root / "template"
    append(template / "Makefile.jinja", "\n# Since the second release\n")
    append(template / "README.md.jinja", "\nSecond release of {{ project_name }}.\n")
    (template / "docs").mkdir(exist_ok=True)
    (template / "docs" / "second.md.jinja").write_text("# {{ project_name }}, second\n")
    (template / ".dockerignore").unlink()
    (template / "src" / "{{ package }}" / "reporting.py").rename(
        template / "src" / "{{ package }}" / "reports.py"
    )
    for recipe in sorted((root / "recipes").iterdir()):
        for path in sorted((recipe / "files").rglob("training/*.py")):
            append(path, "\n# Since the second release\n")


def third(root: Path) -> None:
    """What the third release changes, partly in what the second one changed."""
    template = root / "template"
    append(template / "Makefile.jinja", "# Since the third release\n")
    (template / "docs" / "second.md.jinja").write_text("# {{ project_name }}, third\n\nMore.\n")
    (template / "docs" / "third.md").write_text("Third.\n")
    append(template / "src" / "{{ package }}" / "reports.py", "\n# Since the third release\n")
    pyproject = template / "pyproject.toml.jinja"
    text = pyproject.read_text()
    changed = text.replace("[tool.ruff]\n", "[tool.ruff]\nshow-fixes = true\n")
    assert changed != text
    pyproject.write_text(changed)


class Releases:
    """A template's releases, which a repository at a fixed place can get one after the other."""

    def __init__(self, folder: Path) -> None:
        self.all = folder / "all"
        self.place = folder / "template"
        for repository in (self.all, self.place):
            repository.mkdir(parents=True)
            git(repository, "init", "--quiet", "--initial-branch=main", "--template=")
            git(repository, "config", "core.autocrlf", "false")

    def add(self, tag: str, change: Change) -> None:
        """Prepare a release."""
        change(self.all)
        commit(self.all, tag)
        git(self.all, "tag", tag)

    def publish(self, tag: str) -> None:
        """Let the repository that projects know have this release, and those before it."""
        tags = git(self.all, "tag", "--merged", tag).split()
        wanted = [f"+refs/tags/{name}:refs/tags/{name}" for name in tags]
        git(self.place, "fetch", "--quiet", "--no-tags", str(self.all), *wanted)
        git(self.place, "reset", "--quiet", "--hard", tag)

    def rewind(self, tag: str) -> None:
        """Let that repository have this release as the newest one again."""
        newer = [name for name in git(self.place, "tag", "--contains", tag).split() if name != tag]
        if newer:
            git(self.place, "tag", "--delete", *newer)
        git(self.place, "reset", "--quiet", "--hard", tag)

    def copy(self, folder: Path) -> "Releases":
        """The same prepared releases for another test, none of them published."""
        other = object.__new__(Releases)
        other.all, other.place = self.all, folder / "template"
        other.place.mkdir(parents=True)
        git(other.place, "init", "--quiet", "--initial-branch=main", "--template=")
        git(other.place, "config", "core.autocrlf", "false")
        return other


def real(folder: Path) -> Releases:
    """Three releases that begin with the template as it is now."""
    releases = Releases(folder)
    for tag, change in {"v0.1.0": copy_template, "v0.2.0": second, "v0.3.0": third}.items():
        releases.add(tag, change)
    return releases


COPIER = """\
_subdirectory: template
_envops: {keep_trailing_newline: true}
project_name: {type: str, default: small}
package: {type: str, default: small}
author: {type: str, default: ""}
email: {type: str, default: ""}
recipes: {type: str, multiselect: true, choices: [], default: []}
"""
ANSWERS_NAME = "{{ _copier_conf.answers_file }}.jinja"
ANSWERS = "# Written by the template.\n{{ _copier_answers | to_nice_yaml -}}\n"


def small(files: Mapping[str, bytes]) -> Change:
    """A made-up template of these files, whatever was there before."""

    def write(root: Path) -> None:
        shutil.rmtree(root / "template", ignore_errors=True)
        (root / "template").mkdir()
        (root / "copier.yml").write_text(COPIER)
        (root / "template" / ANSWERS_NAME).write_text(ANSWERS)
        for name, content in files.items():
            path = root / "template" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    return write


def working_tree(project: Path) -> dict[str, tuple[int, bytes | str]]:
    """Every file of a project but Git's own: whether it can be run, and its content."""
    found: dict[str, tuple[int, bytes | str]] = {}
    for folder, folders, names in os.walk(project):
        folders[:] = [name for name in folders if name != ".git"]
        for name in names:
            path = Path(folder, name)
            link = path.is_symlink()
            content = os.readlink(path) if link else path.read_bytes()
            mode = 0 if link else path.stat().st_mode & 0o100
            if path != project / ".git":
                found[path.relative_to(project).as_posix()] = (mode, content)
    return found

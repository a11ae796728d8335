"""The life of a project: made by the oldest version in the history, edited, updated, tested.

    python tests/owner.py [FOLDER]

It needs a checkout of mlmw with its history, and the environment that `make test` makes for the
project without recipes.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from projects import Project
from releases import commit, git

from mlmw.project import find
from mlmw.template import template_root

NOTE = "\nWe sort parcels by the digits of their postal code.\n"


def change(path: Path, old: str, new: str) -> None:
    """Replace a piece of text that must be there once."""
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{path}: {old!r}"
    path.write_text(text.replace(old, new), encoding="utf-8", newline="\n")


def edit(project: Path) -> None:
    """What an owner does in the first weeks."""
    package = project / "src" / "my_project"
    model = package / "models" / "baseline.py"
    change(
        model, "-1) / MAXIMUM\n", "-1) / MAXIMUM\n    flat = np.sqrt(flat)  # faint strokes count\n"
    )
    readme = project / "README.md"
    title, rest = readme.read_text(encoding="utf-8").split("\n", 1)
    readme.write_text(f"{title}\n{NOTE}{rest}", encoding="utf-8", newline="\n")
    pyproject = project / "pyproject.toml"
    numpy = re.search(r'^    "numpy.*\n', pyproject.read_text(encoding="utf-8"), re.MULTILINE)
    assert numpy
    change(pyproject, numpy[0], f'{numpy[0]}    "packaging>=24",\n')
    (package / "reporting.py").rename(package / "results.py")
    for path in (*package.rglob("*.py"), *(project / "tests").rglob("*.py")):
        rename_in(path)
    for notebook in (project / "notebooks").glob("*.ipynb"):
        notebook.unlink()
    commit(project, "The first weeks")


def rename_in(path: Path) -> None:
    """Follow the renamed module in a file that uses it."""
    text = path.read_text(encoding="utf-8")
    path.write_text(re.sub(r"\breporting\b", "results", text), encoding="utf-8", newline="\n")


def resolve(project: Path) -> None:
    """Resolve conflicts as the owner would: both dependencies, the module's new name."""
    for name in git(project, "diff", "--name-only", "--diff-filter=U").splitlines():
        path = project / name
        if name == "pyproject.toml":
            lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
            kept = [line for line in lines if not re.match(r"(<{7}|={7}|>{7})( |$)", line)]
            path.write_text("".join(kept), encoding="utf-8", newline="\n")
        else:
            assert path.suffix == ".py", f"a conflict in {name} was not expected"
            git(project, "checkout", "--theirs", "--", name)
            rename_in(path)
        git(project, "add", name)


def live(folder: Path, run: Callable[..., int]) -> Path:
    """Make, edit and update a project; `run` runs a command line of mlmw."""
    root = template_root()
    template, project = folder / "template", folder / "my-project"
    git(folder, "clone", "--quiet", "--bare", "--no-tags", str(root), str(template))
    oldest = git(root, "rev-list", "--max-parents=0", "HEAD").splitlines()[-1]
    newest = git(root, "rev-parse", "HEAD")
    git(template, "update-ref", "HEAD", oldest)
    assert run("new", str(project), "--template", str(template), "--defaults") == 0
    edit(project)
    git(template, "update-ref", "HEAD", newest)
    if run("update", str(project)):
        resolve(project)
        assert run("update", str(project), "--continue") == 0
    check_edits(project)
    commit(project, "Update the template")
    assert find(str(project)).changes() == []
    return project


def check_edits(project: Path) -> None:
    """Everything that the owner did is still there."""
    package = project / "src" / "my_project"
    assert "flat = np.sqrt(flat)" in (package / "models" / "baseline.py").read_text()
    assert NOTE in (project / "README.md").read_text(encoding="utf-8")
    assert '    "packaging>=24",\n' in (project / "pyproject.toml").read_text()
    assert (package / "results.py").is_file()
    assert not (package / "reporting.py").exists()
    assert not list((project / "notebooks").glob("*.ipynb"))


def run_tests(project: Path) -> subprocess.CompletedProcess[str]:
    """The project's own tests, in the environment of a project of the same kind."""
    foreign = ("PYTEST", "COV_", "VIRTUAL_ENV")  # of the Python that runs this
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(foreign)
    }
    environment["PYTHONPATH"] = str(project / "src")
    command = [str(Project(()).python), "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    return subprocess.run(
        command, cwd=project, env=environment, capture_output=True, text=True, check=False
    )


def main() -> None:
    """Live in a folder and say how the tests went."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp(prefix="mlmw-owner-"))
    folder.mkdir(parents=True, exist_ok=True)

    def run(*arguments: str) -> int:
        print("$ mlmw", *arguments, flush=True)
        return subprocess.run([sys.executable, "-m", "mlmw", *arguments], check=False).returncode

    outcome = run_tests(live(Path(os.path.abspath(folder)), run))
    print(outcome.stdout + outcome.stderr)
    sys.exit(outcome.returncode)


if __name__ == "__main__":
    main()

"""The pages of the documentation tell the truth: their commands run, and print what is shown."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from projects import ROOT, Project, choices, template_copy
from proof.environment import Packages, derive, requirements, tool_environment
from walkthrough import steps, walk

from mlmw.render import render

pytestmark = [
    pytest.mark.proof,
    pytest.mark.skipif(os.name == "nt", reason="the pages show commands for bash"),
]
EVERYTHING = Project(tuple(choices()))


@dataclass(frozen=True)
class Made(Project):
    """A project that a page has made."""

    place: Path = Path()

    @property
    def folder(self) -> Path:
        return self.place


def give_environments(folder: Path) -> None:
    """Do what `make setup` does in projects below a folder, with links instead of downloads."""
    for place in [path.parent for path in folder.glob("*/pyproject.toml")]:
        if not (place / ".venv").exists():
            content = {"pyproject.toml": (place / "pyproject.toml").read_bytes()}
            packages = Packages(EVERYTHING.python)
            derive(Made((), place=place), packages, packages.closure(requirements(content)))
            (place / ".venv" / ".ready").touch()


@pytest.mark.parametrize("page", ["tutorial.md"])
def test_page(page: str, here: Path) -> None:
    assert EVERYTHING.python.exists(), "run `python tests/prove.py` first, or `make test`"
    scripts = Path(sys.executable).parent
    environment = tool_environment()
    environment["PATH"] = f"{scripts}{os.pathsep}{environment['PATH']}"
    environment["MPLCONFIGDIR"] = str(here / "fonts")  # none known yet, as on a new machine
    for role in ("AUTHOR", "COMMITTER"):  # else `mlmw new` tells what git lacks
        environment |= {f"GIT_{role}_NAME": "Ada", f"GIT_{role}_EMAIL": "ada@example.org"}
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    assert walk(text, here, environment, give_environments) == len(list(steps(text))) > 0


def test_the_recipe_that_the_docs_write(here: Path) -> None:
    """Added as the page says, it renders; the project's own tests and its command run."""
    example = ROOT / "docs" / "example" / "latency"
    files = [path for path in example.rglob("*") if path.is_file()]
    assert sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files) < 60
    page = (ROOT / "docs" / "write-a-recipe.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^ *- !include recipes/latency/recipe.yml$", page, re.MULTILINE)
    with template_copy() as template:
        shutil.copytree(example, template / "recipes" / "latency")
        config = template / "copier.yml"
        before = "    - !include recipes/local-tracking/recipe.yml"
        text = config.read_text(encoding="utf-8").replace(before, f"{line}\n{before}")
        config.write_text(text, encoding="utf-8")
        render(template, here / "demo", {"recipes": ["latency"], "project_name": "Demo"})
    project = Made((), here / "demo")
    give_environments(here)
    run = partial(subprocess.run, cwd=project.folder, check=True, capture_output=True, text=True)
    python = str(project.python)
    run([python, "-m", "pytest", "-q", "tests/latency"])
    run([python, "-m", "mypy"])
    run([python, "-m", "demo", "train"])
    told = run([python, "-m", "demo", "latency"]).stdout
    assert re.fullmatch(r"baseline: median [\d.]+ ms, 99 % within [\d.]+ ms\n", told), told
    assert "## How fast it answers" in (project.folder / "README.md").read_text(encoding="utf-8")


def test_a_page_that_does_not_tell_the_truth_is_found(here: Path) -> None:
    def page(commands: str, shown: str) -> str:
        return f"```bash\n{commands}\n```\n\n```text\n{shown}\n```\n"

    def run(text: str) -> int:
        return walk(text, here, {}, lambda folder: None)

    assert run(page("echo one; echo two", "one\ntwo")) == 1
    assert run(page("printf 'no end of line'", "no ...")) == 1
    assert run("<!-- not run: costs money -->\n```bash\nfalse\n```\n") == 0
    with pytest.raises(AssertionError, match="but the page shows"):
        run(page("echo one", "two"))
    with pytest.raises(AssertionError, match="exit code 1"):
        run(page("false", "..."))

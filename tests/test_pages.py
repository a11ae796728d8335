"""The pages of the documentation tell the truth: their commands run, and print what is shown."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from projects import ROOT, Project, choices
from proof.environment import Packages, derive, requirements, tool_environment
from walkthrough import steps, walk

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the pages show commands for bash")
EVERYTHING = Project(tuple(choices()))


@dataclass(frozen=True)
class Made(Project):
    """A project that a page has made."""

    place: Path

    @property
    def folder(self) -> Path:
        return self.place


def give_environments(folder: Path) -> None:
    """Do what `make setup` does in projects below a folder, with links instead of downloads."""
    for place in [path.parent for path in folder.glob("*/pyproject.toml")]:
        if not (place / ".venv").exists():
            content = {"pyproject.toml": (place / "pyproject.toml").read_bytes()}
            packages = Packages(EVERYTHING.python)
            derive(Made((), place), packages, packages.closure(requirements(content)))
            (place / ".venv" / ".ready").touch()


@pytest.mark.parametrize("page", ["tutorial.md"])
def test_page(page: str, here: Path) -> None:
    assert EVERYTHING.python.exists(), "run `python tests/prove.py` first, or `make test`"
    scripts = Path(sys.executable).parent
    environment = tool_environment()
    environment["PATH"] = f"{scripts}{os.pathsep}{environment['PATH']}"
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    assert walk(text, here, environment, give_environments) == len(list(steps(text))) > 0

"""A project of the oldest version, with edits, still works once it is updated."""

from pathlib import Path

import pytest
from conftest import Mlmw
from owner import live, run_tests
from projects import Project

from mlmw.template import template_root

pytestmark = pytest.mark.proof


@pytest.mark.skipif(
    not (template_root() / ".git").exists(), reason="the history is in a Git checkout of mlmw only"
)
def test_project_of_the_oldest_version(mlmw: Mlmw, tmp_path: Path) -> None:
    project = live(tmp_path, lambda *arguments: mlmw(*arguments).code)
    assert Project(()).python.exists(), "run `make test`, which makes it"
    outcome = run_tests(project)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert " passed" in outcome.stdout

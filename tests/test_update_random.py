"""Random edits of an owner against random changes of a template: nothing is ever lost.

python -m pytest tests/test_update_random.py --examples 1000 -s

"""

import json
import shutil
import tempfile
from pathlib import Path

import pytest
from conftest import Mlmw
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_updates import FIRST, contents, make_case, untracked
from releases import git, working_tree

from mlmw.answers import ANSWERS, MARKER

EXAMPLES = 60  # in every run of the tests


def run_case(folder: Path, mlmw: Mlmw, seed: int) -> str:
    """Update one random project and check all that was promised; returns the result."""

    def new(project: Path, template: Path) -> None:
        options = ("--name=small", "--template", str(template), "--defaults")
        assert mlmw("new", str(project), *options).code == 0

    case = make_case(folder, new, seed)
    project, not_tracked = case.project, case.not_tracked
    before = working_tree(project)
    command = mlmw("update", str(project), "--json")
    [outcome] = json.loads(command.out)
    conflicts = outcome["conflicts"]
    assert command.code == (3 if conflicts else 0), outcome
    after = contents(project)
    assert case.losses() == [], seed
    # What git does not track now is what it did not track then, and the sidecars that were named.
    sidecars = {one["sidecar"] for one in conflicts if one["sidecar"]}
    adopted = not_tracked.keys() - untracked(project).keys()
    assert untracked(project).keys() == (not_tracked.keys() - adopted) | sidecars
    # What the owner deleted is not back, unless that is one of the conflicts.
    listed = {one["path"] for one in conflicts}
    for name in FIRST.keys() - case.before.keys():
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

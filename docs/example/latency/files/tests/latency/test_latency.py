"""The command measures what it says, for every workload of the project."""

import pytest

from my_project import pipeline, workloads
from my_project.commands import latency
from my_project.runs import Run


@pytest.mark.parametrize("name", workloads.NAMES)
def test_every_round_is_timed(
    name: str, trained: dict[str, Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "find_run", lambda workload: trained[workload])
    times = latency.milliseconds(name, rounds=20)
    assert len(times) == 20
    assert min(times) > 0

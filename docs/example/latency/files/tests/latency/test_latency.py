"""The command measures what it says, for every workload of the project."""

from collections.abc import Mapping

import pytest

from my_project import pipeline
from my_project.commands import latency
from my_project.runs import Run


def test_rounds_are_timed(trained: Mapping[str, Run], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "find_run", lambda workload: trained[workload])
    for name in trained:
        times = latency.milliseconds(name, rounds=20)
        assert len(times) == 20
        assert min(times) > 0

"""Evaluation: good enough on data never seen, and far above knowing nothing."""

import json
from collections.abc import Mapping

from my_project.runs import Run


def test_floor_above_the_baseline(trained: Mapping[str, Run]) -> None:
    metrics = trained["baseline"].metrics
    assert metrics["test"]["accuracy"] >= 0.95
    assert metrics["baseline"]["accuracy"] < 0.11


def test_no_digit_is_left_behind(trained: Mapping[str, Run]) -> None:
    assert trained["baseline"].metrics["test"]["lowest_recall"] >= 0.8


def test_training_lowered_the_loss(trained: Mapping[str, Run]) -> None:
    lines = (trained["baseline"].folder / "history.jsonl").read_text(encoding="utf-8").splitlines()
    first, last = json.loads(lines[0]), json.loads(lines[-1])
    assert last["train_loss"] < first["train_loss"] / 2

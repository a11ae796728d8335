"""Evaluation: good enough on images never seen, above the baseline, and told in full."""

import json
from collections.abc import Mapping

import numpy as np
import pytest

from my_project.runs import Run
from my_project.training.cnn_evaluation import calibration, measure


def test_floor_above_the_baseline(trained: Mapping[str, Run]) -> None:
    metrics = trained["cnn"].metrics
    assert metrics["test"]["accuracy"] >= 0.985
    assert metrics["baseline"]["accuracy"] < metrics["test"]["accuracy"] - 0.01
    assert metrics["baseline"]["accuracy"] > 0.9


def test_no_digit_is_left_behind(trained: Mapping[str, Run]) -> None:
    recall = trained["cnn"].metrics["recall"]
    assert sorted(recall) == [str(digit) for digit in range(10)]
    assert min(recall.values()) == trained["cnn"].metrics["test"]["lowest_recall"] >= 0.9


def test_the_interval_holds_the_accuracy(trained: Mapping[str, Run]) -> None:
    metrics = trained["cnn"].metrics
    low, high = metrics["intervals"]["accuracy"]
    assert 0.96 < low < metrics["test"]["accuracy"] < high <= 1


def test_it_is_as_often_right_as_it_is_sure(trained: Mapping[str, Run]) -> None:
    metrics, model = trained["cnn"].metrics, trained["cnn"].model
    assert metrics["test"]["calibration_error"] < 0.03
    assert metrics["test"]["log_loss"] < metrics["baseline"]["log_loss"] / 2
    architecture = json.loads((model / "architecture.json").read_text(encoding="utf-8"))
    assert 0.2 < architecture["temperature"] < 0.8, "label smoothing makes it too little sure"


def test_the_run_tells_what_it_was_trained_on(trained: Mapping[str, Run]) -> None:
    metadata = trained["cnn"].metadata
    assert metadata["device"].split(":")[0] in ("cpu", "cuda", "mps")
    assert metadata["processes"] == 1
    assert metadata["threads"] >= 1
    assert metadata["bf16"] in (True, False)


def test_training_lowered_the_loss(trained: Mapping[str, Run]) -> None:
    lines = (trained["cnn"].folder / "history.jsonl").read_text(encoding="utf-8").splitlines()
    first, *_, last = [json.loads(line) for line in lines]
    assert last["step"] == len(lines) == 20
    assert last["train_loss"] < first["train_loss"] / 2
    assert last["validation_loss"] < first["validation_loss"] / 2


def test_pictures_are_drawn(trained: Mapping[str, Run]) -> None:
    names = {path.stem for path in trained["cnn"].figures.glob("*.png")}
    assert names == {"confusion_matrix", "learning_curve", "least_probable_labels"}


def test_the_checkpoint_is_gone_when_the_run_is_finished(trained: Mapping[str, Run]) -> None:
    assert not list(trained["cnn"].folder.glob("checkpoint*"))


@pytest.mark.parametrize(("confidence", "right", "error"), [(0.8, 80, 0.0), (0.9, 50, 0.4)])
def test_calibration_error_of_known_cases(confidence: float, right: int, error: float) -> None:
    labels = np.zeros(100, dtype=np.int64)
    answers = np.random.default_rng(0).permutation(np.arange(100) >= right).astype(int)
    probabilities = np.full((100, 2), 1 - confidence)
    probabilities[np.arange(100), answers] = confidence
    by_chance = 0.15  # of ten answers in a share
    assert error - 1e-9 <= calibration(labels, probabilities) <= error + by_chance
    in_order = np.full((100, 2), 1 - confidence)  # each share of ten holds as many right ones
    in_order[np.arange(100), (np.arange(100) % 10 >= right / 10).astype(int)] = confidence
    assert calibration(labels, in_order) == pytest.approx(error)
    labels[:50] = 1 - answers[:50]  # both classes occur
    measured = measure(labels, probabilities)["calibration_error"]
    assert measured == pytest.approx(calibration(labels, probabilities))

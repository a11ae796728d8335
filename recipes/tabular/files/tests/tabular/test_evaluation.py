"""Evaluation: the model beats the baseline by far, and the numbers are what they are called."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn import datasets, metrics

from my_project.commands import compare
from my_project.data.rows import Kinds
from my_project.data.tabular import Data, prepare
from my_project.models import estimators
from my_project.models.tabular import Model
from my_project.runs import Run
from my_project.training import tabular, tabular_evaluation
from my_project.training.tabular import Config, evaluate, tune


def write(path: Path, bunch: Any) -> Config:
    """Write one of scikit-learn's data sets as a CSV file, and say what it holds."""
    bunch.frame.to_csv(path, index=False)
    columns: Kinds = dict.fromkeys(bunch.data.columns, "numeric")
    return Config(path=path, target="target", columns=columns, folds=3)


def changed(config: Config, **values: Any) -> Config:
    return config.model_copy(update=values)


def fit(data: Data) -> Model:
    return tabular.with_threshold(tune("linear", data, data.train).best_estimator_, data)


@pytest.fixture
def figures(tmp_path: Path) -> Path:
    folder = tmp_path / "figures"
    folder.mkdir()
    return folder


def test_the_floor(trained: Mapping[str, Run]) -> None:
    found = trained["tabular"].metrics
    assert found["test"]["roc_auc"] >= 0.98
    assert found["test"]["recall"] >= 0.93
    assert found["test"]["brier"] < 0.05
    assert found["baseline"]["roc_auc"] == 0.5
    for name in ("roc_auc", "pr_auc", "balanced_accuracy", "f1"):
        assert found["test"][name] > found["baseline"][name] + 0.3
    for name in ("brier", "cost_per_row"):
        assert found["test"][name] < found["baseline"][name] / 2


def test_the_settings_are_on_record(trained: Mapping[str, Run]) -> None:
    run = trained["tabular"]
    lines = (run.folder / "history.jsonl").read_text().splitlines()
    best = max(map(json.loads, lines), key=lambda step: float(step["roc_auc"]))
    settings = json.loads((run.model / "model.json").read_text())["settings"]
    assert settings["C"] == best["model__C"]


def test_intervals_hold_the_estimate(trained: Mapping[str, Run]) -> None:
    found = trained["tabular"].metrics
    assert found["test"].keys() - found["intervals"].keys() <= {"threshold", "recall"}
    for name, (low, high) in found["intervals"].items():
        assert low <= found["test"][name] <= high
        assert low < high


@pytest.mark.parametrize(("rows", "known"), [(9, False), (10, True)])
def test_a_handful_of_rows_gives_no_interval(config: Config, rows: int, known: bool) -> None:
    data = prepare(config)
    model, few = fit(data), replace(data, test=data.test[:rows])
    assert few.test["left"].nunique() == 2
    assert bool(tabular_evaluation.intervals(model, few)) is known


def test_what_no_draw_changes_gets_no_interval(config: Config) -> None:
    data = prepare(config)
    model = fit(data)
    model.threshold = 0.0  # everything is positive: the recall is 1 whatever is drawn
    assert tabular_evaluation.measure(model, data)["recall"] == 1
    assert "recall" not in tabular_evaluation.intervals(model, data)


def test_rows_of_one_date_are_drawn_together(config: Config) -> None:
    data = prepare(changed(config, time="joined"))
    few = replace(data, test=data.test.assign(joined=np.arange(len(data.test)) % 9))
    assert tabular_evaluation.intervals(fit(data), data)
    assert not tabular_evaluation.intervals(fit(data), few)


def test_intervals_are_wider_where_rows_come_in_groups(tmp_path: Path) -> None:
    bunch = datasets.load_diabetes(as_frame=True)
    bunch.frame = bunch.frame.loc[bunch.frame.index.repeat(4)]
    bunch.frame["patient"] = bunch.frame.index
    config = write(tmp_path / "repeated.csv", bunch)
    config = changed(config, task="regression", group="patient")
    data = prepare(config)
    model = fit(data)
    low, high = tabular_evaluation.intervals(model, data)["r2"]
    data.config.__dict__["group"] = None
    naive_low, naive_high = tabular_evaluation.intervals(model, data)["r2"]
    assert high - low > 1.5 * (naive_high - naive_low)


def test_metrics_are_those_of_scikit_learn(config: Config) -> None:
    data = prepare(config)
    model = fit(data)
    features, true = data.xy(data.test)
    scores = model.outputs(features)[:, 1]
    decided = scores >= model.threshold
    assert tabular_evaluation.measure(model, data) == pytest.approx(
        {
            "roc_auc": metrics.roc_auc_score(true, scores),
            "pr_auc": metrics.average_precision_score(true, scores),
            "balanced_accuracy": metrics.balanced_accuracy_score(true, decided),
            "f1": metrics.f1_score(true, decided),
            "brier": metrics.brier_score_loss(true, scores),
            "recall": metrics.recall_score(true, decided),
            "cost_per_row": np.mean(10 * (true & ~decided) + (decided & (true == 0))),
            "threshold": model.threshold,
        }
    )


def test_no_threshold_costs_less_than_the_chosen_one(config: Config) -> None:
    data = prepare(config)
    fitted = tune("linear", data, data.train).best_estimator_
    features, true = data.xy(data.validation)
    scores = fitted.predict_proba(features)[:, 1]
    chosen = []
    for missed, alarm in ((0.1, 1.0), (1.0, 1.0), (10.0, 1.0), (1e6, 1.0)):
        costs = {"false_negative_cost": missed, "false_positive_cost": alarm}
        priced = replace(data, config=changed(config, **costs))
        threshold = tabular.with_threshold(fitted, priced).threshold
        found = scores >= np.append(threshold, np.linspace(0, 1.001, 5000))[:, np.newaxis]
        all_costs = missed * (~found)[:, true == 1].sum(axis=1)
        all_costs += alarm * found[:, true == 0].sum(axis=1)
        assert all_costs[0] == all_costs.min()
        chosen.append(threshold)
    assert chosen == sorted(chosen, reverse=True)  # the dearer a miss, the lower
    assert chosen[0] > chosen[-1]


def test_three_classes(tmp_path: Path, figures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tabular_evaluation, "DRAWS", 20)
    data = prepare(write(tmp_path / "wine.csv", datasets.load_wine(as_frame=True)))
    model = fit(data)
    found = evaluate(model, data, figures)
    assert found["test"]["roc_auc"] > 0.98
    assert found["baseline"]["roc_auc"] == 0.5
    assert found["test"]["f1"] > found["baseline"]["f1"] + 0.5
    features, true = data.xy(data.test)
    shares = model.outputs(features)
    assert found["test"]["roc_auc"] == pytest.approx(
        metrics.roc_auc_score(true, shares, multi_class="ovr")
    )
    half = metrics.brier_score_loss(true, shares, scale_by_half=True)
    assert found["test"]["brier"] == pytest.approx(half)
    decided = shares.argmax(axis=1)
    assert found["test"]["f1"] == pytest.approx(metrics.f1_score(true, decided, average="macro"))
    assert len(list(figures.glob("*.png"))) == 5
    for answer in model.predict(tabular.held_out(data)[:5]):
        shares = answer.probabilities or {}
        assert answer.prediction == max(shares, key=lambda name: shares[name])


def test_a_number_instead_of_a_class(tmp_path: Path, figures: Path) -> None:
    config = write(tmp_path / "diabetes.csv", datasets.load_diabetes(as_frame=True))
    config = changed(config, task="regression")
    assert tabular.primary_metric(config) == "r2"
    data = prepare(config)
    model = fit(data)
    found = evaluate(model, data, figures)
    assert found["test"]["r2"] > found["baseline"]["r2"] + 0.3
    assert found["test"]["mae"] < found["baseline"]["mae"] - 10
    features, true = data.xy(data.test)
    answers = [answer.prediction for answer in model.predict(tabular.held_out(data)[:5])]
    assert answers == model.outputs(features.head()).tolist()
    assert found["test"]["r2"] == pytest.approx(metrics.r2_score(true, model.outputs(features)))
    assert {path.name for path in figures.iterdir()} == {
        "permutation_importance.png",
        "residuals.png",
    }


def test_compare_prints_every_model_beside_the_baseline(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    quick = {name: estimators.CLASSIFIERS[name] for name in ("dummy", "linear")}
    monkeypatch.setattr(estimators, "CLASSIFIERS", quick)
    (project / "quick.toml").write_text("folds = 3\n")
    compare.main(Path("quick.toml"))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "| model | roc_auc, mean ± standard deviation |"
    assert lines[2] == "| dummy | 0.500 ± 0.000 |"
    assert lines[3].startswith("| linear | 0.99")
    assert len(lines) == 4

"""Tune, train and evaluate: `python -m my_project train tabular`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from ..data import files
from ..data.examples import examples
from ..data.tabular import Config, Data, folds, prepare
from ..models.estimators import candidate
from ..models.tabular import Model
from ..runs import Run
from ..utils.errors import UserError
from ..utils.records import stream_records
from .tabular_evaluation import draw, intervals, measure

__all__ = ["Config", "Model", "evaluate", "examples", "prepare", "primary_metric", "train"]


def primary_metric(config: Config) -> str:
    """Compare by how well a model ranks (0.5 is chance), or by the variance that it explains."""
    return "roc_auc" if config.task == "classification" else "r2"


def train(config: Config, data: Data, run: Run) -> Model:
    """Tune on the training part, choose the threshold on the validation part."""
    search = tune(config.model, data, data.train)
    found = zip(search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True)
    for step, (setting, score) in enumerate(found, start=1):
        run.log(step, **setting, **{primary_metric(config): float(score)})
    return with_threshold(search.best_estimator_, data)


def tune(name: str, data: Data, part: pd.DataFrame) -> GridSearchCV:
    """Cross-validate every setting of a model's grid, and fit the best one to the whole part.

    A UserError where the rows are too few for the model.
    """
    pipeline, grid = candidate(name, data.config)
    scoring = "roc_auc_ovr" if data.classes else "r2"
    splits = folds(part, data.config, data.config.folds)
    search = GridSearchCV(pipeline, grid, scoring=scoring, cv=splits, error_score="raise")
    try:
        # On small data, threads gain nothing and wait for each other on a busy machine.
        with threadpool_limits(1 if len(part) < 10_000 else None):
            return search.fit(*data.xy(part))
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{name}: cannot be tuned on {len(part)} rows: {reason}") from None


def with_threshold(pipeline: Pipeline, data: Data) -> Model:
    """Choose the threshold that costs least on validation data, where there are two classes.

    Candidates lie midway between neighbouring probabilities; of equal costs the lowest is taken.
    """
    model, config = Model(pipeline, data.config.columns, data.classes), data.config
    if len(data.classes) == 2:
        features, target = data.xy(data.validation)
        scores = model.outputs(features)[:, 1]
        steps = np.concatenate([[0.0], np.unique(scores), [1.0]])
        thresholds = (steps[:-1] + steps[1:]) / 2
        missed = np.searchsorted(np.sort(scores[target == 1]), thresholds)
        alarms = (target == 0).sum() - np.searchsorted(np.sort(scores[target == 0]), thresholds)
        costs = config.false_negative_cost * missed + config.false_positive_cost * alarms
        model.threshold = float(thresholds[costs.argmin()])
    return model


def evaluate(model: Model, data: Data, figures: Path | None = None) -> dict[str, Any]:
    """Measure on test data, beside a baseline that answers the same whatever the row."""
    baseline = with_threshold(tune("dummy", data, data.train).best_estimator_, data)
    if figures:
        draw(model, data, figures)
    test, baseline_test = measure(model, data), measure(baseline, data)
    return {"test": test, "baseline": baseline_test, "intervals": intervals(model, data)}


def held_out(data: Data) -> list[Any]:
    """Return rows of the test part to compare predictions on."""
    return data.held_out


def stream(config: Config, path: Path) -> Iterator[dict[str, Any]]:
    """Read rows: a file of the same format as the data in the same form."""
    if config.path and files.suffix_of(config.path) == files.suffix_of(path):
        return files.stream(path, config.form, config.columns)
    return stream_records(path)

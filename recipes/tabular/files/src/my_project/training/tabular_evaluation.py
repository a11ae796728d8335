"""How good a tabular model is on test data, how sure that is, and the pictures that show it."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn import metrics
from sklearn.calibration import CalibrationDisplay
from sklearn.inspection import permutation_importance

from ..data.tabular import Config, Data
from ..models.tabular import Model
from ..utils import plots

DRAWS = 1000  # of the bootstrap
CURVES: dict[str, Any] = {
    "ROC curve": metrics.RocCurveDisplay.from_predictions,
    "Precision recall curve": metrics.PrecisionRecallDisplay.from_predictions,
    "Calibration curve": partial(CalibrationDisplay.from_predictions, strategy="quantile"),
}


def measure(model: Model, data: Data) -> dict[str, float]:
    """Return the metrics on test data."""
    features, target = data.xy(data.test)
    once = np.ones(len(target), dtype=int)
    return _metrics(model, data.config, target.to_numpy(), model.outputs(features), once)


def intervals(model: Model, data: Data) -> dict[str, list[float]]:
    """Return 95 % intervals of the metrics, by the percentile bootstrap (Efron, Tibshirani 1993).

    Rows of one group or date are drawn together, as they are not independent of each other. Fewer
    than ten of these, and a metric that is the same in every draw, get no interval.
    """
    features, target = data.xy(data.test)
    truth, outputs = target.to_numpy(), model.outputs(features)
    unit = data.config.group or data.config.time or data.test.index
    units = data.test.groupby(unit).ngroup().to_numpy()
    count, draws = units.max() + 1, []
    generator = np.random.default_rng(data.config.seed)
    for _ in range(DRAWS if count >= 10 else 0):
        times = np.bincount(generator.integers(count, size=count), minlength=count)[units]
        if len(np.unique(truth[times > 0])) >= max(2, len(data.classes)):
            draws.append(_metrics(model, data.config, truth, outputs, times))
    bounds = pd.DataFrame(draws).quantile([0.025, 0.975]).to_dict("list")
    return {str(name): pair for name, pair in bounds.items() if pair[0] < pair[1]}


def _metrics(
    model: Model, config: Config, truth: Any, outputs: Any, times: Any
) -> dict[str, float]:
    """Return the metrics of outputs (n, classes) or (n,), each row counted so many `times` (n,).

    Of many classes the mean, one against the rest.
    """
    count = len(model.classes)
    if not count:
        return {
            "r2": float(metrics.r2_score(truth, outputs, sample_weight=times)),
            "mae": float(metrics.mean_absolute_error(truth, outputs, sample_weight=times)),
            "rmse": float(metrics.root_mean_squared_error(truth, outputs, sample_weight=times)),
        }
    decided = model.decide(outputs)
    table = np.bincount(count * truth + decided, times, count**2).reshape(count, count)
    hits, actual = table.diagonal(), table.sum(axis=1)
    wanted = range(count)[count == 2 :]  # of two classes the positive one
    areas = np.mean([_areas(truth == k, outputs[:, k], times) for k in wanted], axis=0)
    found = {
        "roc_auc": areas[0],
        "pr_auc": areas[1],
        "balanced_accuracy": (hits / actual).mean(),
        "f1": (2 * hits / (actual + table.sum(axis=0)))[-1 if count == 2 else slice(None)].mean(),
        "brier": np.average(((outputs - np.eye(count)[truth]) ** 2).sum(axis=1), weights=times) / 2,
    }
    if count == 2:
        costs = config.false_negative_cost * table[1, 0] + config.false_positive_cost * table[0, 1]
        found |= {"recall": hits[1] / actual[1], "cost_per_row": costs / times.sum()}
        found["threshold"] = model.threshold
    return {name: float(value) for name, value in found.items()}


def _areas(positive: Any, scores: Any, times: Any) -> tuple[float, float]:
    """Return the area under the ROC curve and the average precision, rows counted as above.

    As scikit-learn's functions give them (a test compares), in a twentieth of their time: the
    bootstrap asks a thousand times, and most of theirs goes into checks of the same input.
    """
    steps = np.unique(-scores, return_inverse=True)[1]  # of the threshold, from the highest down
    hits = np.bincount(steps, times * positive).cumsum()
    alarms = np.bincount(steps, times * ~positive).cumsum()
    roc = np.trapezoid([0, *hits], [0, *alarms]) / (hits[-1] * alarms[-1])
    precision = hits / np.maximum(hits + alarms, 1)
    return float(roc), float(np.diff(hits, prepend=0) @ precision / hits[-1])


def draw(model: Model, data: Data, folder: Path) -> None:
    """Draw confusion matrix, curves and calibration, or residuals; and the importances."""
    features, target = data.xy(data.test)
    outputs, names = model.outputs(features), np.array(data.classes)
    if data.classes:
        truth, decided = names[target], names[model.decide(outputs)]
        plots.confusion_matrix(truth, decided, folder / "confusion_matrix.png")
        for title, display in CURVES.items():
            figure, axes = plots.new_figure(f"{title} on test data")
            for k, name in list(enumerate(names))[len(names) == 2 :]:
                one = np.where(truth == name, name, "other")
                display(one, outputs[:, k], pos_label=name, name=name, ax=axes)
            plots.save_figure(figure, folder / f"{title.lower().replace(' ', '_')}.png")
    else:
        figure, axes = plots.new_figure("Residuals on test data")
        metrics.PredictionErrorDisplay.from_predictions(target, outputs, ax=axes)
        plots.save_figure(figure, folder / "residuals.png")
    how = {"scoring": "neg_log_loss" if data.classes else "r2", "random_state": data.config.seed}
    importance = permutation_importance(model.pipeline, features, target, **how)
    mean, deviation = importance.importances_mean, importance.importances_std
    top = mean.argsort()[-15:]
    figure, axes = plots.new_figure("Permutation importance on test data", width=7)
    axes.barh(features.columns[top], mean[top], xerr=deviation[top])
    change = "rise in log loss" if data.classes else "fall in R²"
    axes.set_xlabel(f"{change} when the column is shuffled\n(mean ± deviation of 5 shuffles)")
    plots.save_figure(figure, folder / "permutation_importance.png")

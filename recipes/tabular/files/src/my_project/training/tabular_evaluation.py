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
    return _metrics(model, data.config, target.to_numpy(), model.outputs(features))


def intervals(model: Model, data: Data) -> dict[str, list[float]]:
    """Return 95 % intervals of the metrics, by the percentile bootstrap (Efron, Tibshirani 1993).

    Rows of one group or date are drawn together, as they are not independent of each other. Fewer
    than ten of these, and a metric that is the same in every draw, get no interval.
    """
    features, target = data.xy(data.test)
    truth, outputs = target.to_numpy(), model.outputs(features)
    unit = data.config.group or data.config.time or data.test.index
    units = list(data.test.groupby(unit).indices.values())
    generator, draws = np.random.default_rng(data.config.seed), []
    for _ in range(DRAWS if len(units) >= 10 else 0):
        rows = np.concatenate([units[k] for k in generator.integers(len(units), size=len(units))])
        if len(np.unique(truth[rows])) >= max(2, len(data.classes)):
            draws.append(_metrics(model, data.config, truth[rows], outputs[rows]))
    bounds = pd.DataFrame(draws).quantile([0.025, 0.975]).to_dict("list")
    return {str(name): pair for name, pair in bounds.items() if pair[0] < pair[1]}


def _metrics(model: Model, config: Config, truth: Any, outputs: Any) -> dict[str, float]:
    """Return the metrics of outputs (n, classes) or (n,); of many classes the mean, one vs rest."""
    count = len(model.classes)
    if not count:
        return {
            "r2": float(metrics.r2_score(truth, outputs)),
            "mae": float(metrics.mean_absolute_error(truth, outputs)),
            "rmse": float(metrics.root_mean_squared_error(truth, outputs)),
        }
    decided = model.decide(outputs)
    labels, scores = (truth, outputs[:, 1]) if count == 2 else (np.eye(count)[truth], outputs)
    table = np.bincount(count * truth + decided, minlength=count**2).reshape(count, count)
    hits, actual = table.diagonal(), table.sum(axis=1)
    found = {
        "roc_auc": metrics.roc_auc_score(labels, scores),
        "pr_auc": metrics.average_precision_score(labels, scores),
        "balanced_accuracy": (hits / actual).mean(),
        "f1": (2 * hits / (actual + table.sum(axis=0)))[-1 if count == 2 else slice(None)].mean(),
        "brier": ((outputs - np.eye(count)[truth]) ** 2).sum(axis=1).mean() / 2,
    }
    if count == 2:
        costs = config.false_negative_cost * table[1, 0] + config.false_positive_cost * table[0, 1]
        found |= {"recall": hits[1] / actual[1], "cost_per_row": costs / len(truth)}
        found["threshold"] = model.threshold
    return {name: float(value) for name, value in found.items()}


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

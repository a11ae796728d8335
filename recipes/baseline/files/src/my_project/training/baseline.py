"""Train the baseline: `python -m my_project train baseline`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field
from sklearn.metrics import accuracy_score, f1_score, log_loss, recall_score

from ..data.baseline import Digits, Example, Split, load
from ..models.baseline import CLASSES, Model, features, loss_and_gradient
from ..runs import Run
from ..utils import plots
from ..utils.config import BaseConfig
from ..utils.progress import progress
from ..utils.records import stream_records

__all__ = ["Config", "Model", "evaluate", "examples", "prepare", "primary_metric", "train"]


class Config(BaseConfig):
    """What experiments/baseline.toml may set."""

    epochs: int = Field(default=60, ge=1)
    batch_size: int = Field(default=64, ge=1)
    learning_rate: float = Field(default=2.0, gt=0)
    weight_decay: float = Field(default=1e-4, ge=0)


def primary_metric(config: Config) -> str:
    """Compare models by accuracy: the ten digits are equally frequent."""
    return "accuracy"


def prepare(config: Config) -> Digits:
    """Load and split the digits."""
    return load(config.seed)


def examples(data: Digits, count: int = 5) -> list[Example]:
    """Return the first images of the test part."""
    return [Example(image.tolist()) for image in data.test.images[:count]]


def held_out(data: Digits) -> list[Example]:
    """Return images of the test part to compare predictions on."""
    return examples(data, 1000)


def stream(config: Config, path: Path) -> Iterator[dict[str, Any]]:
    """Read images from CSV or JSON lines."""
    return stream_records(path)


def train(config: Config, data: Digits, run: Run) -> Model:
    """Fit by mini-batch gradient descent; keep the weights that are best on validation data."""
    generator = np.random.default_rng(config.seed)
    inputs, labels = features(data.train.images), data.train.labels
    weights = np.zeros((inputs.shape[1], CLASSES))
    best, history = weights, list[dict[str, float]]()
    for epoch in progress(range(1, config.epochs + 1), "epoch", history):
        order = generator.permutation(len(labels))
        for start in range(0, len(labels), config.batch_size):
            batch = order[start : start + config.batch_size]
            given = inputs[batch], labels[batch], config.weight_decay
            weights = weights - config.learning_rate * loss_and_gradient(weights, *given)[1]
        train_loss, validation_loss = _loss(weights, data.train), _loss(weights, data.validation)
        history.append({"train_loss": train_loss, "validation_loss": validation_loss})
        run.log(epoch, **history[-1])
        if validation_loss == min(one["validation_loss"] for one in history):
            best = weights
    _draw(history, run.figures / "learning_curve.png")
    return Model(best)


def evaluate(model: Model, data: Digits, figures: Path | None = None) -> dict[str, Any]:
    """Measure on test data, beside answering with the shares of the digits in the training data."""
    labels = data.test.labels
    probabilities = model.probabilities(data.test.images)
    shares = np.bincount(data.train.labels, minlength=CLASSES) / len(data.train)
    if figures:
        predicted = probabilities.argmax(axis=1)
        plots.confusion_matrix(labels, predicted, figures / "confusion_matrix.png")
    return {
        "test": _metrics(labels, probabilities),
        "baseline": _metrics(labels, np.tile(shares, (len(labels), 1))),
    }


def _draw(history: list[dict[str, float]], path: Path) -> None:
    figure, axes = plots.new_figure("Learning curve")
    epochs, losses = range(1, len(history) + 1), [list(one.values()) for one in history]
    axes.plot(epochs, losses, label=["training", "validation"])
    axes.set(xlabel="epoch", ylabel="cross-entropy", yscale="log")
    axes.legend()
    plots.save_figure(figure, path)


def _metrics(labels: Any, probabilities: Any) -> dict[str, float]:
    predicted = probabilities.argmax(axis=1)
    return {
        "accuracy": float(accuracy_score(labels, predicted)),
        "macro_f1": float(f1_score(labels, predicted, average="macro")),
        "lowest_recall": float(recall_score(labels, predicted, average=None).min()),
        "log_loss": float(log_loss(labels, probabilities)),
    }


def _loss(weights: Any, split: Split) -> float:
    return loss_and_gradient(weights, features(split.images), split.labels, weight_decay=0.0)[0]

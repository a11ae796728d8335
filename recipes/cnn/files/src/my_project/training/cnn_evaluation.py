"""What a classifier of images is worth, beside softmax regression on the same pixels."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.special import softmax
from scipy.stats import binomtest
from sklearn.metrics import accuracy_score, log_loss, recall_score

from ..data.cnn import Data, Part, Pixels
from ..models.cnn import Model
from ..utils import plots

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]


def evaluate(model: Model, data: Data, figures: Path | None = None) -> dict[str, Any]:
    """Measure on test data, beside the baseline that was fitted to the same training data."""
    labels, probabilities = data.test.labels, model.probabilities(data.test.images)
    if figures:
        draw(data, probabilities, figures)
    test = measure(labels, probabilities)
    correct = binomtest(round(test["accuracy"] * len(labels)), len(labels))
    recalls = recall_score(labels, probabilities.argmax(axis=1), average=None)
    return {
        "test": test,
        "baseline": measure(labels, softmax_regression(data.train, data.test.images)),
        "intervals": {"accuracy": list(correct.proportion_ci(method="wilson"))},
        "recall": dict(zip(data.classes, recalls.tolist(), strict=True)),
    }


def measure(labels: Labels, probabilities: Floats) -> dict[str, float]:
    """Return the metrics of probabilities (n, classes)."""
    predicted = probabilities.argmax(axis=1)
    right, sure = calibration(labels, probabilities)
    return {
        "accuracy": float(accuracy_score(labels, predicted)),
        "lowest_recall": float(recall_score(labels, predicted, average=None).min()),
        "log_loss": float(log_loss(labels, probabilities)),
        "calibration_error": float(np.abs(right - sure).mean()),
    }


def calibration(labels: Labels, probabilities: Floats) -> tuple[Floats, Floats]:
    """Return accuracy and mean confidence of ten equal shares of the answers, the surest last.

    Their mean difference is the expected calibration error (Guo et al. 2017).
    """
    correct = probabilities.argmax(axis=1) == labels
    shares = np.array_split(probabilities.max(axis=1).argsort(kind="stable"), 10)
    confidence = [probabilities.max(axis=1)[share].mean() for share in shares if len(share)]
    return np.array([correct[share].mean() for share in shares if len(share)]), np.array(confidence)


def softmax_regression(train: Part, images: Pixels) -> Floats:
    """Fit softmax regression by gradient descent, in NumPy; return probabilities for `images`."""
    mean, targets = train.images.mean(axis=0), np.eye(train.labels.max() + 1)[train.labels]
    weights = np.zeros((mean.size, len(targets[0])))

    def flatten(some: Pixels) -> Floats:
        return np.asarray(some - mean).reshape(len(some), -1) / 255

    for batch in np.random.default_rng(0).integers(0, len(targets), (3000, 64)):
        inputs = flatten(train.images[batch])
        errors = softmax(inputs @ weights, axis=1) - targets[batch]
        weights -= 2 / mean.size * inputs.T @ errors
    return np.asarray(softmax(flatten(images) @ weights, axis=1))


def draw(data: Data, probabilities: Floats, figures: Path) -> None:
    """Draw confusion matrix, calibration, and the images whose class got least probability."""
    labels, names = data.test.labels, np.array(data.classes)
    answers = names[probabilities.argmax(axis=1)]
    plots.confusion_matrix(names[labels], answers, figures / "confusion_matrix.png")
    figure, axes = plots.new_figure("Calibration on test data")
    axes.plot([0, 1], [0, 1], "--", color="grey", label="as sure as right")
    right, sure = calibration(labels, probabilities)
    axes.plot(sure, right, "o-", label="model")
    axes.set(xlabel="mean probability of the answer", ylabel="share of right answers")
    axes.legend()
    plots.save_figure(figure, figures / "calibration.png")
    figure = Figure(figsize=(8, 5), layout="constrained")
    figure.suptitle("Least probable labels: the label, below it the answer")
    worst = probabilities[np.arange(len(labels)), labels].argsort()[:10]
    for place, index in enumerate(worst, start=1):
        axes = figure.add_subplot(2, 5, place, title=f"{names[labels[index]]}\n{answers[index]}")
        axes.imshow(data.test.images[index].squeeze(), cmap="gray")
        axes.set_axis_off()
    plots.save_figure(figure, figures / "least_probable_labels.png")


def draw_history(history: list[dict[str, float]], path: Path) -> None:
    """Draw the losses of each epoch."""
    figure, axes = plots.new_figure("Learning curve")
    epochs = range(1, len(history) + 1)
    kinds = {"train_loss": "training, smoothed labels", "validation_loss": "validation"}
    for name, label in kinds.items():
        axes.plot(epochs, [epoch[name] for epoch in history], ".-", label=label)
    axes.set(xlabel="epoch", ylabel="cross-entropy (nats per image)", yscale="log")
    axes.legend()
    plots.save_figure(figure, path)

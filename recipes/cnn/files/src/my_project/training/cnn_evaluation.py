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
    return {
        "accuracy": float(accuracy_score(labels, predicted)),
        "lowest_recall": float(recall_score(labels, predicted, average=None).min()),
        "log_loss": float(log_loss(labels, probabilities)),
        "calibration_error": calibration(labels, probabilities),
    }


def calibration(labels: Labels, probabilities: Floats) -> float:
    """Return how far accuracy and mean confidence lie apart, over ten equal shares of the answers.

    The shares go by confidence: the expected calibration error (Guo et al. 2017).
    """
    correct, confidence = probabilities.argmax(axis=1) == labels, probabilities.max(axis=1)
    shares = np.array_split(confidence.argsort(kind="stable"), min(10, len(labels)))
    return float(np.mean([abs(correct[one].mean() - confidence[one].mean()) for one in shares]))


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
    """Draw the confusion matrix, and the images whose class got least probability."""
    labels, names = data.test.labels, np.array(data.classes)
    true, read = names[labels], names[probabilities.argmax(axis=1)]
    plots.confusion_matrix(true, read, figures / "confusion_matrix.png")
    figure = Figure(figsize=(8, 4.4), layout="constrained")
    figure.suptitle("The test images whose label got least probability; what was misread in red")
    worst = probabilities[np.arange(len(labels)), labels].argsort()[:10]
    for place, index in enumerate(worst, start=1):
        axes = figure.add_subplot(2, 5, place)
        color = "black" if read[index] == true[index] else "red"
        axes.set_title(f"{true[index]}\nread as {read[index]}", color=color, fontsize="medium")
        axes.imshow(data.test.images[index].squeeze(), cmap="gray")
        axes.set_axis_off()
    plots.save_figure(figure, figures / "least_probable_labels.png")


def draw_history(history: list[dict[str, float]], path: Path) -> None:
    """Draw the losses of each epoch."""
    figure, axes = plots.new_figure("Learning curve")
    epochs, smoothed = range(1, len(history) + 1), "training, smoothed labels"
    for name, label in (("train_loss", smoothed), ("validation_loss", "validation")):
        axes.plot(epochs, [epoch[name] for epoch in history], ".-", label=label)
    axes.set(xlabel="epoch", ylabel="cross-entropy (nats per image)", yscale="log")
    axes.locator_params(axis="x", integer=True)
    axes.legend()
    plots.save_figure(figure, path)

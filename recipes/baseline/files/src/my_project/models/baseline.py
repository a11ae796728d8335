"""Softmax regression, also called multinomial logistic regression, in NumPy alone.

Source of the model and its gradient: Bishop, Pattern Recognition and Machine Learning, 4.3.4.
"""

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from ..data.baseline import MAXIMUM, SIDE, Example, Floats, Labels
from ..utils.errors import UserError

CLASSES = 10


@dataclass(frozen=True)
class Prediction:
    """The most probable digit, and the probability of each."""

    prediction: str
    probabilities: dict[str, float]


def features(images: Floats) -> Floats:
    """Flatten images (n, 8, 8) to (n, 65): pixels scaled to 0..1, and a constant 1 for the bias."""
    flat = images.reshape(len(images), -1) / MAXIMUM
    return np.hstack([flat, np.ones((len(images), 1))])


def softmax(logits: Floats) -> Floats:
    """Turn logits (n, classes) into probabilities; each row sums to 1."""
    # Subtracting the maximum changes nothing but keeps exp() from overflowing.
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


def loss_and_gradient(
    weights: Floats, inputs: Floats, labels: Labels, weight_decay: float
) -> tuple[float, Floats]:
    """Return the mean cross-entropy with an L2 penalty, and its gradient.

    Args:
        weights: Shape (features, classes).
        inputs: Shape (n, features).
        labels: Shape (n,), from 0 to classes - 1.
        weight_decay: Factor of the penalty ½ |weights|².
    """
    probabilities = softmax(inputs @ weights)
    rows = np.arange(len(labels))
    loss = -np.log(probabilities[rows, labels]).mean() + weight_decay * (weights**2).sum() / 2
    # The gradient with respect to the logits is the probabilities minus the one-hot labels.
    errors = probabilities
    errors[rows, labels] -= 1
    return float(loss), inputs.T @ errors / len(labels) + weight_decay * weights


class Model:
    """Fitted weights of shape (65, 10)."""

    example_type = Example

    def __init__(self, weights: Floats) -> None:
        self.weights = weights

    def probabilities(self, images: Floats) -> Floats:
        """Return the probability of each digit, (n, 10), for images (n, 8, 8)."""
        return softmax(features(images) @ self.weights)

    def predict(self, examples: Sequence[Example]) -> list[Prediction]:
        """Classify examples.

        Raises:
            UserError: An image that is not 8 by 8 finite numbers.
        """
        rows = self.probabilities(np.stack([_image(example) for example in examples]))
        return [
            Prediction(str(row.argmax()), {str(k): float(p) for k, p in enumerate(row)})
            for row in rows
        ]

    def save(self, folder: Path) -> None:
        """Write the weights as a NumPy archive."""
        np.savez(folder / "weights.npz", weights=self.weights)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the weights; NumPy refuses pickled objects, so no code is executed.

        Raises:
            UserError: The file is missing, damaged or of another shape.
        """
        path = folder / "weights.npz"
        try:
            with np.load(path, allow_pickle=False) as archive:
                weights = archive["weights"]
        except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise UserError(f"{path}: cannot be read as a model: {error}") from None
        if weights.shape != (SIDE * SIDE + 1, CLASSES) or weights.dtype != np.float64:
            raise UserError(f"{path}: holds weights of another shape; train again")
        return cls(weights)


def _image(example: Example) -> Floats:
    try:
        image = np.array(example.image, dtype=np.float64)
    except ValueError:
        image = np.empty(0)
    if image.shape != (SIDE, SIDE) or not np.isfinite(image).all():
        raise UserError(f"image: must be {SIDE} rows of {SIDE} finite numbers")
    return image

"""Handwritten digits: 1,797 grey images of 8 by 8 pixels that come with scikit-learn."""

import hashlib
import json
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]

SIDE = 8  # pixels
MAXIMUM = 16.0  # the brightest pixel


def _from_json(value: Any) -> Any:
    """Read an image that stands as JSON in the cell of a CSV file."""
    return json.loads(value) if isinstance(value, str) else value


Pixel = Annotated[float, Field(ge=0, le=MAXIMUM)]
Row = Annotated[list[Pixel], Field(min_length=SIDE, max_length=SIDE)]
Image = Annotated[list[Row], Field(min_length=SIDE, max_length=SIDE)]


@dataclass(frozen=True)
class Example:
    """One image: 8 rows of 8 pixels, from 0 (paper) to 16 (ink)."""

    image: Annotated[Image, BeforeValidator(_from_json)]


@dataclass(frozen=True)
class Split:
    """Images of shape (n, 8, 8) with pixels from 0 to 16, and their labels of shape (n,)."""

    images: Floats
    labels: Labels

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Digits:
    """Three disjoint parts in which each digit has the same share, and the hash of the whole."""

    train: Split
    validation: Split
    test: Split
    sha256: str


def load(seed: int) -> Digits:
    """Split the images 60 : 20 : 20, the same way for the same seed."""
    images, labels = load_digits(return_X_y=True)
    images = images.reshape(-1, SIDE, SIDE)
    digest = hashlib.sha256(images.tobytes() + labels.astype(np.int64).tobytes())
    rest, test = _split(Split(images, labels), 0.2, seed)
    train, validation = _split(rest, 0.25, seed)
    return Digits(train, validation, test, digest.hexdigest())


def _split(split: Split, share: float, seed: int) -> tuple[Split, Split]:
    images, labels = split.images, split.labels
    large, small, *parts = train_test_split(
        images, labels, test_size=share, stratify=labels, random_state=seed
    )
    return Split(large, parts[0]), Split(small, parts[1])

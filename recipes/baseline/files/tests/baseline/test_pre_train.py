"""Before training: the data, the gradient and the loop are what they should be."""

from pathlib import Path

import numpy as np
import pytest

from my_project.data import baseline as data
from my_project.models import baseline as models
from my_project.runs import Run
from my_project.training import baseline as training


@pytest.fixture(scope="module")
def digits() -> data.Digits:
    return data.load(seed=0)


def test_shapes_and_range(digits: data.Digits) -> None:
    assert digits.train.images.shape == (1077, 8, 8)
    assert len(digits.validation) == len(digits.test) == 360
    assert digits.train.images.min() == 0
    assert digits.train.images.max() == 16


def test_no_image_is_in_two_parts(digits: data.Digits) -> None:
    parts = (digits.train, digits.validation, digits.test)
    images = {image.tobytes() for part in parts for image in part.images}
    assert len(images) == sum(len(part) for part in parts)


def test_each_part_has_its_share_of_each_digit(digits: data.Digits) -> None:
    for part in (digits.train, digits.validation, digits.test):
        shares = np.bincount(part.labels) / len(part)
        assert shares == pytest.approx(0.1, abs=0.005)


def test_the_seed_decides_the_split(digits: data.Digits) -> None:
    assert np.array_equal(data.load(seed=0).test.images, digits.test.images)
    assert not np.array_equal(data.load(seed=1).test.images, digits.test.images)


def test_the_gradient_is_that_of_the_loss() -> None:
    generator = np.random.default_rng(0)
    weights = generator.normal(size=(7, 4))
    inputs, labels = generator.normal(size=(20, 7)), generator.integers(0, 4, size=20)
    _, gradient = models.loss_and_gradient(weights, inputs, labels, 0.1)
    step = 1e-6
    for index in np.ndindex(weights.shape):
        above, below = weights.copy(), weights.copy()
        above[index] += step
        below[index] -= step
        difference = (
            models.loss_and_gradient(above, inputs, labels, 0.1)[0]
            - models.loss_and_gradient(below, inputs, labels, 0.1)[0]
        )
        assert gradient[index] == pytest.approx(difference / (2 * step), abs=1e-7)


def test_softmax_stands_large_logits() -> None:
    probabilities = models.softmax(np.array([[1e4, 0.0, -1e4]]))
    assert probabilities == pytest.approx(np.array([[1.0, 0.0, 0.0]]))


def test_untrained_weights_know_nothing(digits: data.Digits) -> None:
    inputs = models.features(digits.train.images)
    loss, _ = models.loss_and_gradient(np.zeros((65, 10)), inputs, digits.train.labels, 0.0)
    assert loss == pytest.approx(np.log(10))


def test_one_batch_can_be_learnt_by_heart(digits: data.Digits, tmp_path: Path) -> None:
    batch = data.Split(digits.train.images[:32], digits.train.labels[:32])
    (tmp_path / "figures").mkdir()
    model = training.train(
        training.Config(epochs=300, weight_decay=0.0),
        data.Digits(batch, batch, batch, digits.sha256),
        Run(tmp_path),
    )
    assert np.array_equal(model.probabilities(batch.images).argmax(axis=1), batch.labels)

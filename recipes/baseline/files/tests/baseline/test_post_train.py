"""After training: the model behaves as a reader of digits should."""

from collections.abc import Mapping

import numpy as np
import pytest

from my_project import pipeline
from my_project.data.baseline import Digits, Example, load
from my_project.models.baseline import Model
from my_project.runs import Run
from my_project.utils.errors import UserError


@pytest.fixture(scope="module")
def model(trained: Mapping[str, Run]) -> Model:
    loaded = pipeline.load_model(trained["baseline"])
    assert isinstance(loaded, Model)
    return loaded


@pytest.fixture(scope="module")
def digits() -> Digits:
    return load(seed=0)


def test_probabilities_sum_to_one(model: Model, digits: Digits) -> None:
    assert model.probabilities(digits.test.images).sum(axis=1) == pytest.approx(1)


def test_one_by_one_equals_all_at_once(model: Model, digits: Digits) -> None:
    examples = [Example(image.tolist()) for image in digits.test.images[:20]]
    together = model.predict(examples)
    alone = [model.predict([example])[0] for example in examples]
    assert [one.prediction for one in alone] == [one.prediction for one in together]
    for one, other in zip(alone, together, strict=True):
        assert one.probabilities == pytest.approx(other.probabilities)


def test_faint_ink_reads_the_same(model: Model, digits: Digits) -> None:
    full = model.probabilities(digits.test.images).argmax(axis=1)
    faint = model.probabilities(digits.test.images * 0.9).argmax(axis=1)
    assert (full == faint).mean() > 0.98


def test_a_blank_image_is_read_with_little_confidence(model: Model) -> None:
    assert model.probabilities(np.zeros((1, 8, 8))).max() < 0.5


@pytest.mark.parametrize(
    "image",
    [[], [[0.0] * 8] * 7, [[0.0] * 7] * 8, [[0.0] * 8] * 7 + [[0.0]], [[float("nan")] * 8] * 8],
)
def test_what_is_no_image_is_refused(model: Model, image: list[list[float]]) -> None:
    with pytest.raises(UserError, match="8 rows of 8 finite numbers"):
        model.predict([Example(image)])

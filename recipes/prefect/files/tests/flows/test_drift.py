"""The drift statistic: nothing for the same data, little by chance, much for what has moved."""

import numpy as np
import pytest

from my_project.flows.drift import population_stability_index

generator = np.random.default_rng(0)


def normal(mean: float, size: int) -> list[float]:
    return [float(number) for number in generator.normal(mean, size=size)]


@pytest.mark.parametrize(
    "sample", [["a", "b", "b"], [0.5, 1.5, 2.5], [3.0, 3.0, 3.0], ["a"], [1.0]]
)
def test_the_same_sample_has_none(sample: list[object]) -> None:
    assert population_stability_index(sample, sample)[0] == 0


def test_the_value_by_hand() -> None:
    index, _ = population_stability_index(["a"] * 50 + ["b"] * 50, ["a"] * 90 + ["b"] * 10)
    p, q = np.array([50.5, 50.5]) / 101, np.array([90.5, 10.5]) / 101
    assert index == pytest.approx(((q - p) * np.log(q / p)).sum())


def test_a_class_that_is_new_counts() -> None:
    index, chance = population_stability_index(["a"] * 100, ["a"] * 50 + ["new"] * 50)
    assert index > 1 > chance


@pytest.mark.parametrize("size", [50, 500, 5000])
def test_chance_stays_below_its_limit_and_a_shift_does_not(size: int) -> None:
    above = 0
    for _ in range(200):
        one, other = normal(0, size), normal(0, size)
        index, chance = population_stability_index(one, other)
        above += index > chance
    assert above <= 3  # 0.2 are expected
    index, chance = population_stability_index(normal(0, size), normal(2, size))
    assert index > max(0.2, chance)

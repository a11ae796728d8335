"""Small images for quick tests, and processes that do what the command line does."""

import os

# With two threads each step waits for the slower one: on a busy machine that takes many times as
# long. It must be set before torch is imported, and reaches the processes that a test starts.
os.environ["OMP_NUM_THREADS"] = "1"

from pathlib import Path

import pytest

from my_project.data import cnn as data
from my_project.runs import Run
from my_project.training import cnn as training


@pytest.fixture(scope="session")
def digits() -> data.Data:
    return data.prepare(data.DataConfig())


@pytest.fixture(scope="session")
def batch(digits: data.Data) -> data.Data:
    """The same 64 images in every part."""
    part = data.Part(digits.train.images[:64], digits.train.labels[:64])
    return data.Data(part, part, part, digits.classes, "0" * 64)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run in which to train."""
    started = Run(tmp_path / "run")
    started.figures.mkdir(parents=True)
    return started


@pytest.fixture
def quick() -> training.Config:
    """One epoch of a network that is as small as it gets."""
    return training.Config(width=4, epochs=1, device="cpu")

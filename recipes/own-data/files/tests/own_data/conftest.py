"""The configuration of this project, with rows that are made up as its data."""

from pathlib import Path

import pytest

from my_project.data import made_up
from my_project.data.tabular import Config
from my_project.utils.config import load_config

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def own() -> Config:
    """The project's own configuration."""
    return load_config(Config, ROOT / "experiments/tabular.toml")


@pytest.fixture(scope="session")
def config(own: Config, tmp_path_factory: pytest.TempPathFactory) -> Config:
    """The same with made-up rows: a clone without the data is tested all the same."""
    return made_up.write(tmp_path_factory.mktemp("made_up"), own)

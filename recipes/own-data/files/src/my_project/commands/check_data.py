"""The command `check-data`."""

from pathlib import Path

from ..utils.config import load_config


def main(config: Path = Path("experiments/tabular.toml")) -> None:
    """Compare the data with what this project was made for; exit code 2 if a column changed."""
    from ..data.quality import check
    from ..data.tabular import Config

    print(check(load_config(Config, config)))

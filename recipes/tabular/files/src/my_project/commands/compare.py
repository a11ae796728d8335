"""The command `compare`."""

from pathlib import Path
from statistics import mean, stdev

from ..utils.config import load_config


def main(config: Path = Path("experiments/tabular.toml")) -> None:
    """Tune every model under nested cross-validation of the training data; print their scores."""
    from ..data.tabular import Config, folds, prepare
    from ..models.estimators import CLASSIFIERS
    from ..training.tabular import primary_metric, tune

    data = prepare(load_config(Config, config))
    splits = folds(data.train, data.config, data.config.folds)
    print(f"| model | {primary_metric(data.config)}, mean ± standard deviation |\n| --- | ---: |")
    for name in CLASSIFIERS:
        scores = []
        for fit, held_out in splits:  # tuning never sees the rows that it is scored on
            search = tune(name, data, data.train.iloc[fit])
            scores.append(search.score(*data.xy(data.train.iloc[held_out])))
        print(f"| {name} | {mean(scores):.3f} ± {stdev(scores):.3f} |", flush=True)

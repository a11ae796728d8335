"""Preprocessing by kind of column, and the candidate models with the settings that tuning tries."""

from typing import Any, Self

import numpy as np
from sklearn import dummy, ensemble, linear_model, neighbors, svm
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils.validation import check_is_fitted, validate_data

from ..data.rows import Kinds
from ..data.tabular import Config

PERIODS = np.array([365.2425, 7.0])  # days in a year, days in a week


class DateFeatures(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Expand dates, given as numbers of days, into five numbers each; NaN is a missing date.

    The date itself, standardised (the trend), and sine and cosine of the place in the year and in
    the week, by which December is as near to January as to November. These are not standardised:
    where all dates are a first of January, another day would be thousands of deviations away.
    """

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn mean and deviation of each column of X, shape (n, dates)."""
        X = validate_data(self, X, dtype=float, ensure_all_finite="allow-nan")
        with np.errstate(invalid="ignore"):  # of a column that has no date at all
            self.trend_ = StandardScaler().fit(X)
        return self

    def transform(self, X: Any) -> Any:
        """Turn shape (n, dates) into (n, 5 * dates)."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=float, ensure_all_finite="allow-nan", reset=False)
        angles = (2 * np.pi * X[:, :, np.newaxis] / PERIODS).reshape(len(X), -1)
        return np.hstack([self.trend_.transform(X), np.sin(angles), np.cos(angles)])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


def preprocessing(columns: Kinds) -> ColumnTransformer:
    """Return the unfitted steps that turn typed columns into a matrix without gaps."""
    median = SimpleImputer(strategy="median", keep_empty_features=True)
    gap = SimpleImputer(strategy="constant", fill_value="missing", keep_empty_features=True)
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)  # unseen: all zeros
    steps = {
        "numeric": make_pipeline(median, StandardScaler()),
        "categorical": make_pipeline(gap, one_hot),
        "boolean": SimpleImputer(strategy="most_frequent", keep_empty_features=True),
        "date": make_pipeline(DateFeatures(), median),
    }
    named = {kind: [name for name in columns if columns[name] == kind] for kind in steps}
    return ColumnTransformer([(kind, step, named[kind]) for kind, step in steps.items()])


def candidate(name: str, config: Config) -> tuple[Pipeline, dict[str, Any]]:
    """Return an unfitted pipeline and its tuning grid; the name `dummy` gives the baseline."""
    model, grid = (CLASSIFIERS if config.task == "classification" else REGRESSORS)[name]
    pipeline = Pipeline([("preprocess", preprocessing(config.columns)), ("model", clone(model))])
    seeds = {key: config.seed for key in pipeline.get_params() if key.endswith("random_state")}
    return pipeline.set_params(**seeds), {f"model__{key}": grid[key] for key in grid}


STRENGTHS = [0.01, 0.1, 1.0, 10.0, 100.0]
FOREST = {"min_samples_leaf": [1, 5], "max_features": ["sqrt", 0.3]}
BOOSTING = {"learning_rate": [0.03, 0.1], "max_leaf_nodes": [7, 31]}
NEIGHBOURS = {"n_neighbors": [5, 10, 20], "weights": ["uniform", "distance"]}
# An SVM has no probabilities: a sigmoid is fitted to its margins (Platt 1999). In regression its C
# is in units of the target, which is therefore scaled. Neighbours are searched by brute force, so
# that the saved file holds no search tree: one type less to trust.
SVC = CalibratedClassifierCV(svm.SVC(), cv=3, ensemble=False)
SVR = TransformedTargetRegressor(svm.SVR(), transformer=StandardScaler())

CLASSIFIERS: dict[str, tuple[Any, Any]] = {
    "dummy": (dummy.DummyClassifier(strategy="prior"), {}),
    "linear": (linear_model.LogisticRegression(max_iter=1000), {"C": STRENGTHS}),
    "random_forest": (ensemble.RandomForestClassifier(), FOREST),
    "gradient_boosting": (ensemble.HistGradientBoostingClassifier(), BOOSTING),
    "svm": (SVC, {"estimator__C": STRENGTHS}),
    "neighbours": (neighbors.KNeighborsClassifier(algorithm="brute"), NEIGHBOURS),
}
REGRESSORS: dict[str, tuple[Any, Any]] = {
    "dummy": (dummy.DummyRegressor(), {}),
    "linear": (linear_model.Ridge(), {"alpha": STRENGTHS}),
    "random_forest": (ensemble.RandomForestRegressor(), FOREST),
    "gradient_boosting": (ensemble.HistGradientBoostingRegressor(), BOOSTING),
    "svm": (SVR, {"regressor__C": STRENGTHS}),
    "neighbours": (neighbors.KNeighborsRegressor(algorithm="brute"), NEIGHBOURS),
}

"""Tabular data: what a configuration says about it, its checks, and its split into three parts."""

import hashlib
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
import pandas as pd
from pydantic import BeforeValidator, Field, model_validator
from sklearn import model_selection
from sklearn.datasets import load_breast_cancer

from ..utils.config import BaseConfig
from ..utils.errors import UserError
from ..utils.records import validate
from .files import Form, read
from .rows import Kind, Kinds, Text, make_row_type, to_table


class Config(BaseConfig):
    """The problem and the model; experiments/tabular.toml explains each key."""

    path: Annotated[Path | None, BeforeValidator(lambda p: Path(str(p)) if p else None)] = None
    task: Literal["classification", "regression"] = "classification"
    target: str = "diagnosis"
    positive: Text = "malignant"
    columns: Kinds = Field(default_factory=dict)
    form: Form = Form()
    skip_unlabelled: bool = False
    group: str | None = None
    time: str | None = None
    false_negative_cost: float = Field(default=10.0, gt=0, lt=1e9)
    false_positive_cost: float = Field(default=1.0, gt=0, lt=1e9)
    model: Literal["linear", "random_forest", "gradient_boosting", "svm", "neighbours"] = "linear"
    folds: int = Field(default=5, ge=3)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.path and not self.columns:
            raise ValueError("columns: name the columns of your file and their kinds")
        if self.group and self.time:
            raise ValueError("group, time: only one of them can decide the split")
        for name in sorted(self.columns.keys() & {self.target, self.group, self.time}):
            raise ValueError(f"columns: {name!r} cannot be a feature and target, group or time")
        return self


@dataclass(frozen=True)
class Data:
    """Three disjoint tables of features and target, in which a class is a position in `classes`.

    Of two classes the second is the positive one; a regression has none.
    """

    train: pd.DataFrame
    validation: pd.DataFrame
    test: pd.DataFrame
    held_out: list[Any]  # at most 1,000 rows of the test part
    classes: list[str]
    config: Config  # with the columns of the data filled in
    sha256: str

    def xy(self, part: pd.DataFrame) -> tuple[pd.DataFrame, Any]:
        """Return the features (n, columns) and the target (n,) of a part."""
        return part[list(self.config.columns)], part[self.config.target]


def prepare(config: Config) -> Data:
    """Load, check and split the data 60 : 20 : 20; nothing is fitted to them here.

    A UserError where they are not as declared, or too few.
    """
    source = config.path or "breast cancer data"
    label: Kind = "categorical" if config.task == "classification" else "numeric"
    roles = {config.target: label, config.group: "categorical", config.time: "date"}
    required = {name: kind for name, kind in roles.items() if name}
    kinds = config.columns | required
    records, sha256 = read(config.path, config.form, kinds) if config.path else _tumours()
    columns = config.columns or {name: "numeric" for name in records[0] if name != config.target}
    config = config.model_copy(update={"columns": columns})
    if config.skip_unlabelled:
        records = [one for one in records if one.get(config.target, "") is not None]
    rows = validate(records, make_row_type(columns, required), source)
    table, classes = to_table(rows, columns | required), list[str]()
    counts = table[config.target].value_counts()
    if len(counts) == 1:
        raise UserError(f"{source}: column {config.target!r} holds one value only")
    if config.task == "classification":
        classes = sorted(counts.index, key=lambda name: (name == config.positive, name))
        if counts.min() < 3 * config.folds:
            raise UserError(f"{source}: class {counts.idxmin()!r} has too few rows to be split")
        if len(classes) == 2 and config.positive != classes[1]:
            raise UserError(f"positive: must be one of the classes in {source}: {classes}")
        table[config.target] = table[config.target].map(classes.index)
    if config.time:
        table = table.sort_values(config.time, kind="stable")
    rest, test = (table.iloc[rows] for rows in folds(table, config, 5)[-1])
    train, validation = (rest.iloc[rows] for rows in folds(rest, config, 4)[-1])
    folds(train, config, config.folds)  # which training will ask for
    held_out = validate([records[k] for k in test.index[:1000]], make_row_type(columns, {}), source)
    return Data(train, validation, test, held_out, classes, config, sha256)


def folds(part: pd.DataFrame, config: Config, count: int) -> list[tuple[Any, Any]]:
    """Return the positions to fit on and to score on, for each fold of a cross-validation.

    Classes keep their shares, groups and dates stay whole, and nothing is predicted from its
    future. A UserError where there are too few rows, groups or dates.
    """
    target, groups = part[config.target], part[config.group] if config.group else None
    by_class = config.task == "classification"
    try:
        if config.time:
            times = part[config.time].to_numpy()  # in order
            cuts = np.unique(np.searchsorted(times, times[np.arange(count) * len(times) // count]))
            found = [(np.arange(a), np.arange(a, b)) for a, b in pairwise([*cuts[1:], len(times)])]
            if len(cuts) < count:
                raise ValueError("too few different dates")
        else:
            name = "Stratified" * by_class + "Group" * bool(config.group) + "KFold"
            splitter = getattr(model_selection, name)(count, shuffle=True, random_state=config.seed)
            found = list(splitter.split(part, target, groups))
    except ValueError as error:
        raise UserError(f"the data cannot be split into {count} folds: {error}") from None
    for rows in (rows for fold in found for rows in fold):
        if by_class and target.iloc[rows].nunique() < target.nunique():
            raise UserError(f"one of {count} folds misses a class; use fewer, or more data")
    return found


def _tumours() -> tuple[list[dict[Any, Any]], str]:
    """Return the records of the breast cancer data, and their SHA-256 as CSV.

    Source: Street, Wolberg and Mangasarian, Nuclear feature extraction for breast tumor
    diagnosis, 1993, in the copy that comes with scikit-learn.
    """
    bunch = load_breast_cancer(as_frame=True)
    table = bunch.data.rename(columns=lambda name: name.replace(" ", "_"))
    table["diagnosis"] = bunch.target_names[bunch.target]
    content = table.to_csv(lineterminator="\n").encode()
    return table.to_dict("records"), hashlib.sha256(content).hexdigest()

"""A fitted pipeline with its columns and its decision threshold, saved without pickle."""

import importlib
import inspect
import io
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from unittest import mock

import pandas as pd
import sklearn
from sklearn.pipeline import Pipeline

from ..data.rows import Kinds, make_row_type, to_table
from ..utils.artifacts import read_json, write_json
from ..utils.errors import UserError
from .estimators import DateFeatures

# To know scikit-learn's classes, skops imports every module of it, and torch where there is one.
# That takes seconds in each process; here it is told those of the parts that models are made of.
PARTS = "compose dummy ensemble impute linear_model neighbors pipeline preprocessing svm tree"
MODULES = [importlib.import_module(f"sklearn.{part}") for part in PARTS.split()]
CLASSES = [pair for module in MODULES for pair in inspect.getmembers(module, inspect.isclass)]
with mock.patch("sklearn.utils.all_estimators", return_value=CLASSES):
    import skops.io

# Reviewed: each holds numbers or estimators only, and none runs code while it is loaded. Beside
# them skops accepts the classes above; a file with any other type is refused.
TRUSTED = [
    f"{DateFeatures.__module__}.DateFeatures",
    "numpy.dtype",
    "sklearn.calibration.CalibratedClassifierCV",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
]


@dataclass(frozen=True)
class Prediction:
    """A class and the probability of each, or a number."""

    prediction: str | float
    probabilities: dict[str, float] | None


@dataclass
class Model:
    """A fitted pipeline, its columns, and the names of its classes (none in regression).

    Of two classes the second is predicted where its probability reaches the threshold.
    """

    pipeline: Pipeline
    columns: Kinds
    classes: list[str]
    threshold: float = 0.5

    def __post_init__(self) -> None:
        self.example_type = make_row_type(self.columns, {})

    def outputs(self, features: pd.DataFrame) -> Any:
        """Return probabilities (n, classes), or in regression the predicted numbers (n,)."""
        return (self.pipeline.predict_proba if self.classes else self.pipeline.predict)(features)

    def decide(self, outputs: Any) -> Any:
        """Turn probabilities into positions of classes, shape (n,)."""
        if len(self.classes) == 2:
            return (outputs[:, 1] >= self.threshold).astype(int)
        return outputs.argmax(axis=1)

    def predict(self, examples: Sequence[Any]) -> list[Prediction]:
        """Predict rows of the type `example_type`."""
        if not examples:
            return []
        outputs = self.outputs(to_table(examples, self.columns))
        if not self.classes:
            return [Prediction(number, None) for number in outputs.tolist()]
        decided = [self.classes[k] for k in self.decide(outputs)]
        shares = [dict(zip(self.classes, row, strict=True)) for row in outputs.tolist()]
        return [Prediction(*answer) for answer in zip(decided, shares, strict=True)]

    def save(self, folder: Path) -> None:
        """Write the pipeline in skops' format, and as JSON what a person may want to read."""
        (folder / "pipeline.skops").write_bytes(_reproducible(skops.io.dumps(self.pipeline)))
        facts = {"columns": self.columns, "classes": self.classes, "threshold": self.threshold}
        params = self.pipeline[-1].get_params().items()
        facts["settings"] = {k: v for k, v in params if isinstance(v, str | int | float | None)}
        facts |= {"model": type(self.pipeline[-1]).__name__, "scikit_learn": sklearn.__version__}
        write_json(folder / "model.json", facts)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote, and run no code that the files may hold.

        A UserError for damaged files, other types and other versions of scikit-learn.
        """
        try:
            facts = read_json(folder / "model.json")
            if facts["scikit_learn"] != sklearn.__version__:
                raise ValueError(f"made by scikit-learn {facts['scikit_learn']}, not this version")
            pipeline = skops.io.load(folder / "pipeline.skops", trusted=TRUSTED)
            if not isinstance(pipeline, Pipeline):
                raise TypeError("pipeline.skops holds no pipeline")
            return cls(pipeline, facts["columns"], facts["classes"], float(facts["threshold"]))
        except Exception as error:  # files of unknown origin can fail in any way
            why = " ".join(str(error).split())
            raise UserError(f"{folder}: cannot be read as a model ({why}); train again") from None


def _reproducible(archive: bytes) -> bytes:
    """Rewrite a skops file without memory addresses and times: equal models give equal bytes."""
    numbers, target = dict[str, str](), io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(target, "w") as new:
        schema = re.sub(
            r'(?<="__id__": )\d+|\d+(?=\.np[yz]")',
            lambda found: numbers.setdefault(found[0], str(len(numbers))),
            old.read("schema.json").decode(),
        )
        for name in old.namelist():
            stem, dot, suffix = name.partition(".")
            entry = zipfile.ZipInfo(numbers.get(stem, stem) + dot + suffix)
            content = schema.encode() if stem == "schema" else old.read(name)
            new.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return target.getvalue()

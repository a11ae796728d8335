"""After training: the model behaves as a model of this problem must, and is saved safely."""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import TypeAdapter
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from my_project import pipeline
from my_project.data.rows import to_table
from my_project.data.tabular import Data, prepare
from my_project.models.estimators import CLASSIFIERS, candidate
from my_project.models.tabular import Model
from my_project.runs import Run
from my_project.training.tabular import Config
from my_project.utils.errors import UserError
from my_project.utils.records import read_records, validate


@pytest.fixture
def tumours(trained: Mapping[str, Run]) -> tuple[Any, list[Any]]:
    """Return the model of the default configuration, and rows of the test part."""
    model, data = pipeline.load_model(trained["tabular"]), prepare(Config())
    records = data.xy(data.test)[0].to_dict("records")
    return model, validate(records, model.example_type, "test part")


@pytest.fixture
def data(config: Config) -> Data:
    return prepare(config)


@pytest.fixture
def churn(data: Data) -> Model:
    return fit("linear", data)


def fit(name: str, data: Data) -> Model:
    fitted = candidate(name, data.config)[0].fit(*data.xy(data.train))
    return Model(fitted, data.config.columns, data.classes)


def malignant(model: Any, rows: list[Any]) -> Any:
    return np.array([answer.probabilities["malignant"] for answer in model.predict(rows)])


def test_the_order_of_rows_changes_nothing(tumours: tuple[Any, list[Any]]) -> None:
    model, rows = tumours
    assert model.predict(rows[::-1]) == model.predict(rows)[::-1]


def test_a_row_alone_gets_the_same_answer(tumours: tuple[Any, list[Any]]) -> None:
    model, rows = tumours
    alone = np.concatenate([malignant(model, [row]) for row in rows[:10]])
    assert alone == pytest.approx(malignant(model, rows[:10]), abs=1e-12)


def test_no_row_gives_no_answer(tumours: tuple[Any, list[Any]]) -> None:
    assert tumours[0].predict([]) == []


@pytest.mark.parametrize("measure", ["worst_texture", "worst_concave_points", "worst_area"])
def test_larger_and_rougher_nuclei_are_more_suspect(
    tumours: tuple[Any, list[Any]], measure: str
) -> None:
    model, rows = tumours
    more = [replace(row, **{measure: 1.5 * getattr(row, measure)}) for row in rows]
    assert (malignant(model, more) >= malignant(model, rows)).all()


def test_the_class_follows_from_probability_and_threshold(tumours: tuple[Any, list[Any]]) -> None:
    model, rows = tumours
    for answer in model.predict(rows):
        assert sum(answer.probabilities.values()) == pytest.approx(1)
        suspect = answer.probabilities["malignant"] >= model.threshold
        assert answer.prediction == ("malignant" if suspect else "benign")


def test_a_row_without_any_value_gets_an_answer(tumours: tuple[Any, list[Any]]) -> None:
    model, rows = tumours
    nothing = replace(rows[0], **dict.fromkeys(asdict(rows[0])))
    assert 0 < malignant(model, [nothing])[0] < 1


def test_a_customer_without_any_value_gets_an_answer(churn: Model, data: Data) -> None:
    nothing = churn.example_type(None, None, None, None)
    together = churn.predict([*data.held_out, nothing])
    assert churn.predict([nothing]) == together[-1:]
    assert np.isfinite(list((together[-1].probabilities or {}).values())).all()


@pytest.mark.parametrize("day", [date.min, date(1969, 12, 31), date.max])
def test_no_date_is_too_far_away(churn: Model, data: Data, day: date) -> None:
    [answer] = churn.predict([replace(data.held_out[0], last_order=day)])
    assert sum((answer.probabilities or {}).values()) == pytest.approx(1)


def test_an_unseen_category_counts_as_no_category(churn: Model, data: Data) -> None:
    row = data.held_out[0]
    [unseen] = churn.predict([replace(row, country="Atlantis")])
    assert unseen.probabilities is not None
    assert 0 < unseen.probabilities["left"] < 1
    assert unseen == churn.predict([replace(row, country="Mu")])[0]


def test_predictions_from_a_file_use_the_headers_of_the_data(churn: Model, data: Data) -> None:
    assert data.config.path
    rows = validate(read_records(data.config.path), churn.example_type, "customers")
    test = [rows[number] for number in data.test.index]
    features = data.xy(data.test)[0]
    pd.testing.assert_frame_equal(to_table(test, churn.columns), features.reset_index(drop=True))
    assert [vars(row) for row in test[:5]] == [vars(row) for row in data.held_out[:5]]


def test_only_headers_name_values_from_outside(churn: Model) -> None:
    good = {"yearly income": 1.5, "country": None, "newsletter": None, "last_order": None}
    [row] = validate([good], churn.example_type, "request")
    assert row.yearly_income == 1.5
    with pytest.raises(UserError, match="yearly income: field required"):
        validate([vars(row)], churn.example_type, "request")


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"yearly income": "much"}, "row 1: yearly income: input should be a valid number"),
        ({"yearly income": float("nan")}, "row 1: yearly income: input should be a finite number"),
        ({"newsletter": "maybe"}, "row 1: newsletter: input should be a valid boolean"),
        ({"last_order": "soon"}, "row 1: last_order: must be a date like 2026-01-31"),
    ],
)
def test_a_value_of_another_kind_is_named(
    churn: Model, record: dict[str, Any], message: str
) -> None:
    good = {"yearly income": 50.0, "country": None, "newsletter": "no", "last_order": "2024-05-06"}
    validate([good], churn.example_type, "request")
    with pytest.raises(UserError, match=message):
        validate([good | record], churn.example_type, "request")


def test_every_kind_can_be_given_as_json(churn: Model) -> None:
    """As the service reads it: strictly."""
    row = '{"yearly income": 1, "country": "NO", "newsletter": true, "last_order": "2024-05-06"}'
    example = TypeAdapter(churn.example_type).validate_json(row, strict=True)
    assert list(vars(example).values()) == [1.0, "NO", True, date(2024, 5, 6)]


@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_every_model_survives_saving(config: Config, tmp_path: Path, name: str, task: str) -> None:
    target = "spent" if task == "regression" else "left"
    settings = config.model_dump(exclude_none=True)
    data = prepare(Config.model_validate(settings | {"task": task, "target": target}))
    models, folders = [fit(name, data), fit(name, data)], [tmp_path / "one", tmp_path / "two"]
    for model, folder in zip(models, folders, strict=True):
        folder.mkdir()
        model.save(folder)
    features = data.xy(data.test)[0]
    assert np.array_equal(Model.load(folders[0]).outputs(features), models[0].outputs(features))
    for file in folders[0].iterdir():
        assert file.read_bytes() == (folders[1] / file.name).read_bytes()


def test_types_that_were_not_reviewed_are_refused(churn: Model, tmp_path: Path) -> None:
    harmful = Pipeline([("step", FunctionTransformer(os.system))])
    replace(churn, pipeline=harmful).save(tmp_path)
    with pytest.raises(UserError, match=r"cannot be read as a model .*Untrusted types.*system"):
        Model.load(tmp_path)


def test_what_is_no_pipeline_is_refused(churn: Model, tmp_path: Path) -> None:
    import skops.io

    churn.save(tmp_path)
    (tmp_path / "pipeline.skops").write_bytes(skops.io.dumps(StandardScaler()))
    with pytest.raises(UserError, match="holds no pipeline"):
        Model.load(tmp_path)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("scikit_learn", "1.2.3", r"made by scikit-learn 1\.2\.3, not this version"),
        ("scikit_learn", None, "made by scikit-learn None"),
        ("threshold", "high", "could not convert string to float: 'high'"),
    ],
)
def test_a_foreign_description_is_refused(
    churn: Model, tmp_path: Path, key: str, value: Any, message: str
) -> None:
    churn.save(tmp_path)
    path = tmp_path / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    with pytest.raises(UserError, match=message):
        Model.load(tmp_path)


@pytest.mark.parametrize("name", ["model.json", "pipeline.skops"])
def test_damaged_and_missing_files_are_refused(churn: Model, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    churn.save(folder)
    half = shutil.copytree(folder, tmp_path / "half")
    (half / name).write_bytes((folder / name).read_bytes()[:100])
    (folder / name).unlink()
    for damaged in (half, folder):
        with pytest.raises(UserError, match="cannot be read as a model"):
            Model.load(damaged)

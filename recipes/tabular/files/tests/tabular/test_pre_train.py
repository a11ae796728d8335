"""Before training: the data are as declared, the split is fair, and nothing leaks."""

import json
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import date
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from sklearn.utils.estimator_checks import check_estimator

from my_project.data.files import Form, read
from my_project.data.rows import Kinds, make_row_type
from my_project.data.tabular import Data, folds, prepare
from my_project.models import estimators
from my_project.models.estimators import candidate
from my_project.training.tabular import Config, tune
from my_project.utils.errors import UserError
from my_project.utils.records import validate


def parts(data: Data) -> list[pd.DataFrame]:
    return [data.train, data.validation, data.test]


def changed(config: Config, **values: Any) -> Config:
    return Config.model_validate({**config.model_dump(exclude_none=True), **values})


def test_the_parts_are_disjoint_complete_and_stratified() -> None:
    data = prepare(Config())
    assert [len(part) for part in parts(data)] == [342, 114, 113]
    assert set().union(*(part.index for part in parts(data))) == set(range(569))
    for part in parts(data):
        features, target = data.xy(part)
        assert features.shape == (len(part), 30)
        assert "diagnosis" not in features
        assert set(features.dtypes) == {np.dtype(float)}
        assert abs(target.mean() - 212 / 569) < 0.01
    assert data.classes == ["benign", "malignant"]


def test_the_seed_decides_the_split() -> None:
    data = prepare(Config())
    assert prepare(Config()).test.equals(data.test)
    assert not prepare(Config(seed=1)).test.index.equals(data.test.index)


def test_groups_stay_together(config: Config) -> None:
    config = changed(config, group="household")
    data = prepare(config)
    groups = [set(part["household"]) for part in parts(data)]
    assert sum(map(len, groups)) == len(set().union(*groups))
    for fit, held_out in folds(data.train, config, 3):
        household = data.train["household"].to_numpy()
        assert not set(household[fit]) & set(household[held_out])
    assert "household" not in data.xy(data.test)[0]


def test_nothing_is_predicted_from_its_future(config: Config) -> None:
    config = changed(config, time="joined")
    data = prepare(config)
    assert data.train["joined"].max() < data.validation["joined"].min()
    assert data.validation["joined"].max() < data.test["joined"].min()
    for fit, held_out in folds(data.train, config, 3):
        joined = data.train["joined"].to_numpy()
        assert joined[fit].max() < joined[held_out].min()
    assert "joined" not in data.xy(data.test)[0]


def test_a_date_is_never_on_both_sides(config: Config) -> None:
    assert config.path
    table = pd.read_csv(config.path)
    table["joined"] = table["joined"].str[:7] + "-01"  # ten months, about thirty rows each
    table.to_csv(config.path, index=False)
    config = changed(config, time="joined")
    data = prepare(config)
    months = [set(part["joined"]) for part in parts(data)]
    assert sum(map(len, months)) == len(set().union(*months)) == 10
    for fit, held_out in folds(data.train, config, 3):
        joined = data.train["joined"].to_numpy()
        assert joined[fit].max() < joined[held_out].min()


def reaches_the_model(prepare: Callable[[Config], Data], config: Config) -> bool:
    """Tell whether the model changes when only the rows held out for the test change."""
    assert config.path

    def answers() -> Any:
        data = prepare(config)
        features, target = data.xy(data.train)
        return candidate("linear", data.config)[0].fit(features, target).predict_proba(features)

    before, table = answers(), pd.read_csv(config.path)
    table.loc[prepare(config).test.index, "yearly income"] += 1000
    table.to_csv(config.path, index=False)
    return not np.array_equal(before, answers())


def leaking(config: Config) -> Data:
    """Fill gaps with the mean of all rows, before the split: a common mistake."""
    data = prepare(config)
    mean = pd.concat(parts(data))["yearly income"].mean()
    return replace(data, train=data.train.fillna({"yearly income": mean}))


def test_the_test_rows_do_not_reach_the_model(config: Config) -> None:
    assert not reaches_the_model(prepare, config)


def test_a_leak_would_be_noticed(config: Config) -> None:
    assert reaches_the_model(leaking, config)


def test_date_features_keep_the_rules_of_scikit_learn() -> None:
    check_estimator(estimators.DateFeatures(), on_skip=None)


def test_date_features_know_year_and_week() -> None:
    dates = [date(2024, 1, 1), date(2024, 12, 31), date(2024, 7, 1)]
    days = np.array([[day.toordinal()] for day in dates], dtype=float)
    new_year, end_of_year, july = estimators.DateFeatures().fit_transform(days)
    trend = (end_of_year[0] - new_year[0]) / (july[0] - new_year[0])
    assert trend == pytest.approx(365 / 182)
    year = [1, 3]  # sine and cosine
    assert np.linalg.norm((end_of_year - new_year)[year]) < 0.1
    assert np.linalg.norm((july - new_year)[year]) > 1.9
    assert new_year[[2, 4]] == pytest.approx(july[[2, 4]])  # both were Mondays


def test_dates_that_are_all_new_year_say_nothing_of_another_day(config: Config) -> None:
    days = [[date(year, 1, 1).toordinal()] for year in range(1950, 2020)]
    dates = candidate("linear", config)[0]["preprocess"].transformers[-1][1].fit(np.array(days))
    assert np.abs(dates.transform([[date(1985, 7, 1).toordinal()]])).max() <= 1


def test_every_kind_becomes_numbers_without_gaps(config: Config) -> None:
    data = prepare(config)
    features, _ = data.xy(data.train)
    assert features.isna().any().all()
    matrix = estimators.preprocessing(config.columns).fit_transform(features)
    assert matrix.shape == (len(features), 1 + 4 + 1 + 5)
    assert np.isfinite(matrix).all()


def test_a_column_without_any_value_does_no_harm(config: Config) -> None:
    data = prepare(config)
    empty = data.train.assign(**dict.fromkeys(config.columns, np.nan))
    empty["country"] = empty["country"].astype(object)
    matrix = estimators.preprocessing(config.columns).fit_transform(data.xy(empty)[0])
    assert np.isfinite(matrix).all()


def test_every_model_that_can_be_configured_exists() -> None:
    names = get_args(Config.model_fields["model"].annotation)
    for models in (estimators.CLASSIFIERS, estimators.REGRESSORS):
        assert set(models) == {"dummy", *names}


def test_parquet_holds_the_same_as_csv(config: Config, tmp_path: Path) -> None:
    assert config.path
    table = pd.read_csv(config.path, parse_dates=["last_order"])
    table["newsletter"] = table["newsletter"].map({"yes": True, "no": False}).astype("boolean")
    table.set_index("country").to_parquet(tmp_path / "customers.parquet")
    same = prepare(changed(config, path=tmp_path / "customers.parquet"))
    other = prepare(config)
    assert same.sha256 != other.sha256
    for mine, theirs in zip(parts(same), parts(other), strict=True):
        pd.testing.assert_frame_equal(mine, theirs)


def test_nan_and_none_are_missing_in_json(config: Config, tmp_path: Path) -> None:
    assert config.path
    table = pd.read_csv(config.path).astype(object)
    lines = [json.dumps(row) + "\n" for row in table.to_dict("records")]  # which writes NaN
    assert any("NaN" in line for line in lines)
    path = tmp_path / "customers.jsonl"
    path.write_text("".join(lines), encoding="utf-8")
    same, other = prepare(changed(config, path=path)), prepare(config)
    for mine, theirs in zip(parts(same), parts(other), strict=True):
        pd.testing.assert_frame_equal(mine, theirs)


def test_other_forms_of_a_file_hold_the_same(config: Config, tmp_path: Path) -> None:
    """Semicolons, decimal commas, other words for what is missing, times of day, packed."""
    assert config.path
    table = pd.read_csv(config.path, dtype=str).fillna("n/a")
    table["yearly income"] = table["yearly income"].str.replace(".", ",")
    known = table["last_order"] != "n/a"
    table.loc[known, "last_order"] += " 12:30:00"
    table.loc[table["newsletter"] == "n/a", "newsletter"] = "perhaps"
    path = tmp_path / "customers.tsv.gz"
    table.to_csv(path, index=False, sep=";", encoding="utf-16")
    form = {
        "delimiter": ";", "encoding": "utf-16", "missing": ["n/a"], "times": ["last_order"],
        "decimal_comma": ["yearly income"], "unreadable": ["newsletter"],
    }  # fmt: skip
    same, other = prepare(changed(config, path=path, form=form)), prepare(config)
    for mine, theirs in zip(parts(same), parts(other), strict=True):
        pd.testing.assert_frame_equal(mine, theirs)


def test_headers_that_are_empty_or_there_twice(config: Config, tmp_path: Path) -> None:
    assert config.path
    _, _, rows = config.path.read_text().partition("\n")
    path = tmp_path / "twice.csv"
    path.write_text("a, a,,a,b,joined,c,d,left,spent\n" + rows)
    columns = {"a": "numeric", "a_2": "categorical", "column_3": "boolean", "a_3": "date"}
    settings = {"path": path, "columns": columns, "form": {"numbered": True}}
    same, other = prepare(changed(config, **settings)), prepare(config)
    features = [data.xy(data.test)[0] for data in (same, other)]
    for mine, theirs in zip(features[0], features[1], strict=True):
        assert features[0][mine].equals(features[1][theirs])


def test_rows_without_a_target_can_be_left_out(config: Config) -> None:
    assert config.path
    table = pd.read_csv(config.path, dtype=str)
    table.loc[[3, 5], "left"] = None
    table.to_csv(config.path, index=False)
    data = prepare(changed(config, skip_unlabelled=True))
    assert sum(map(len, parts(data))) == len(table) - 2


def test_a_number_of_json_has_no_decimal_comma(config: Config, tmp_path: Path) -> None:
    path, form = tmp_path / "a.jsonl", Form(decimal_comma=["income"])
    path.write_text('{"income": "1.234,5"}\n{"income": 1234.5}\n', encoding="utf-8")
    records, _ = read(path, form, {"income": "numeric"})
    assert [float(record["income"]) for record in records] == [1234.5, 1234.5]


def test_keys_that_json_lines_leave_out_are_missing(config: Config, tmp_path: Path) -> None:
    assert config.path
    rows = pd.read_csv(config.path, dtype=str).to_dict("records")
    path = tmp_path / "customers.jsonl"
    lines = [json.dumps({k: v for k, v in row.items() if v == v}) for row in rows]
    path.write_text("\n".join(lines))
    same, other = prepare(changed(config, path=path)), prepare(config)
    for mine, theirs in zip(parts(same), parts(other), strict=True):
        pd.testing.assert_frame_equal(mine, theirs)
    path.write_text("[1]\n")
    with pytest.raises(UserError, match="cannot be read as jsonl: a line is no object"):
        prepare(changed(config, path=path))


@pytest.mark.parametrize(
    ("row", "column", "value", "message"),
    [
        (0, "yearly income", "abc", "row 1: yearly income: input should be a valid number"),
        (7, "yearly income", "inf", "row 8: yearly income: input should be a finite number"),
        (7, "yearly income", "1,5", "row 8: yearly income: input should be a valid number"),
        (298, "newsletter", "maybe", "row 299: newsletter: input should be a valid boolean"),
        (7, "yearly income", "1e300", "row 8: yearly income: input should be less than 1000"),
        (3, "last_order", "31.1.2026", "row 4: last_order: must be a date like 2026-01-31"),
        (3, "last_order", "20240101", "row 4: last_order: must be a date like 2026-01-31"),
        (3, "last_order", "2024", "row 4: last_order: must be a date like 2026-01-31"),
        (3, "last_order", "86400", "row 4: last_order: must be a date like 2026-01-31"),
        (3, "last_order", "2026-01-31 12:30:00", "last_order: must be a date like 2026-01-31"),
        (3, "last_order", "2026-02-30", "row 4: last_order: day "),
        (3, "left", "", "row 4: left: input should be a valid string"),
        (3, "left", "perhaps", "class 'perhaps' has too few rows to be split"),
    ],
)
def test_a_bad_value_is_named(
    config: Config, row: int, column: str, value: str, message: str
) -> None:
    assert config.path
    table = pd.read_csv(config.path, dtype=str)
    table.loc[row, column] = value
    table.to_csv(config.path, index=False)
    with pytest.raises(UserError) as error:
        prepare(config)
    assert message in str(error.value)
    assert str(error.value).startswith(str(config.path))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"path": "missing.csv"}, "missing.csv: cannot be read as csv: [Errno 2] No such file"),
        ({"path": "missing.parquet"}, "missing.parquet: cannot be read as parquet: [Errno 2] "),
        ({"path": "customers.xlsx"}, "customers.xlsx: unknown format"),
        ({"columns": {"age": "numeric"}}, "row 1: age: field required"),
        ({"target": "churn"}, "row 1: churn: field required"),
        ({"group": "family"}, "row 1: family: field required"),
        ({"time": "when"}, "row 1: when: field required"),
        ({"time": "country"}, "row 1: country: must be a date like 2026-01-31"),
        ({"time": "today"}, "the data cannot be split into 5 folds: too few different dates"),
        ({"positive": "gone"}, "positive: must be one of the classes in"),
        ({"target": "notes"}, "column 'notes' holds one value only"),
        ({"target": "household"}, "has too few rows to be split"),
        ({"target": "country", "task": "regression"}, "country: input should be a valid number"),
        ({"group": "newsletter"}, "newsletter: input should be a valid string"),
        ({"group": "notes"}, "the data cannot be split into 5 folds"),
    ],
)
def test_data_that_do_not_fit_are_refused(
    config: Config, changes: dict[str, Any], message: str
) -> None:
    changes = {"columns": {"yearly income": "numeric"}} | changes
    with pytest.raises(UserError) as error:
        prepare(changed(config, **changes))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no example"),
        (b"a,left\n", "holds no example"),
        (b"a,left,a\n1,x,2\n", "cannot be read as csv: two columns have the same name"),
        (b"a,left\n1,x,3\n", "cannot be read as csv: row 1 has 3 cells, the header 2"),
        (b"a,left\n1,\xff\n", "cannot be read as csv: 'utf-8' codec can't decode byte 0xff"),
        (b"a;left\n1;x\n", "its columns are not separated by ','"),
        (b"b,right\n1,x\n", "row 1: a: field required; left: field required"),
        (b"a,left\n1,x\n2\n", "cannot be read as csv: row 2 has 1 cells, the header 2"),
        (b"a,left\n1,x\n1,y\n", "class 'x' has too few rows to be split"),
    ],
)
def test_files_that_are_no_table_are_refused(
    config: Config, tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    with pytest.raises(UserError) as error:
        prepare(changed(config, path=path, columns={"a": "numeric"}))
    assert str(error.value).startswith(f"{path}")
    assert message in str(error.value)


def test_too_few_rows_for_a_model_are_noticed(config: Config) -> None:
    data = prepare(config)
    with pytest.raises(
        UserError, match=r"neighbours: cannot be tuned on 20 rows: Expected n_neigh"
    ):
        tune("neighbours", data, data.train[:20])


def test_seeds_do_not_reach_other_models(config: Config) -> None:
    first, _ = candidate("random_forest", config)
    candidate("random_forest", changed(config, seed=7))
    assert first["model"].random_state == 0


def test_a_class_that_only_comes_late_is_noticed(config: Config) -> None:
    assert config.path
    table = pd.read_csv(config.path)
    late = table["joined"] > "2024-09-01"
    table.assign(left=np.where(late, "left", "stayed")).to_csv(config.path, index=False)
    with pytest.raises(UserError, match="one of 5 folds misses a class"):
        prepare(changed(config, time="joined"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"columns": {}}, "columns: name the columns of your file"),
        ({"group": "household", "time": "joined"}, "only one of them can decide the split"),
        ({"target": "country"}, "columns: 'country' cannot be a feature and target"),
        ({"group": "country"}, "columns: 'country' cannot be a feature and target, group"),
        ({"time": "last_order"}, "'last_order' cannot be a feature and target, group or time"),
        ({"columns": {"country": "text"}}, "columns.country"),
        ({"model": "oracle"}, "model"),
        ({"false_negative_cost": 0.0}, "false_negative_cost"),
        ({"false_positive_cost": float("inf")}, "false_positive_cost"),
        ({"false_positive_cost": float("nan")}, "false_positive_cost"),
        ({"folds": 2}, "folds"),
    ],
)
def test_settings_that_do_not_fit_are_refused(
    config: Config, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValidationError) as error:
        changed(config, **changes)
    assert message in str(error.value)


def test_an_empty_path_means_the_data_that_come_along() -> None:
    assert Config.model_validate({"path": ""}) == Config()


def test_headers_like_the_names_of_fields_are_no_trouble(config: Config) -> None:
    assert config.path
    names = {"yearly income": "column_1", "country": "column_0", "newsletter": "class"}
    table = pd.read_csv(config.path).rename(columns=names)
    table.to_csv(config.path, index=False)
    columns = {names.get(name, name): kind for name, kind in config.columns.items()}
    data = prepare(changed(config, columns=columns))
    for name in ("column_1", "column_0"):
        found, expected = data.test[name].dropna(), table.loc[data.test.index, name].dropna()
        assert found.tolist() == expected.tolist()


def test_truth_values_in_parquet_can_be_target_group_and_category(
    config: Config, tmp_path: Path
) -> None:
    assert config.path
    table = pd.read_csv(config.path)
    table["left"] = table["left"] == "left"
    table["country"] = table["country"] == "NO"
    table["household"] = table["household"] % 2 == 0
    table.to_csv(config.path, index=False)
    table.to_parquet(tmp_path / "customers.PARQUET")
    config = changed(config, positive=True)
    same = prepare(changed(config, path=tmp_path / "customers.PARQUET"))
    assert same.classes == ["False", "True"]
    for mine, theirs in zip(parts(same), parts(prepare(config)), strict=True):
        pd.testing.assert_frame_equal(mine, theirs)
    with pytest.raises(UserError, match="cannot be split"):  # two groups are too few
        prepare(changed(config, group="household"))


def test_a_number_is_the_same_category_however_it_is_written() -> None:
    row_type = make_row_type({"store": "categorical"}, {})
    values: list[Any] = [1, 1.0, "1", " 1.0 ", "1.50", "a1.0", None]
    rows = validate([{"store": value} for value in values], row_type, "stores")
    assert [row.store for row in rows] == ["1", "1", "1", "1", "1.50", "a1.0", None]
    with pytest.raises(UserError, match="store: input should be a valid string"):
        validate([{"store": ["1"]}], row_type, "stores")


def test_a_header_that_python_would_misunderstand_gets_another_name() -> None:
    columns: Kinds = dict.fromkeys(["class", "__class__", "mro", "2nd", "self"], "numeric")
    names = [field.name for field in fields(make_row_type(columns, {"left": "categorical"}))]
    assert names == ["class_", "class__2", "mro_", "column_2nd", "self", "left"]


def test_the_positive_class_can_be_given_as_a_number(config: Config) -> None:
    assert config.path
    table = pd.read_csv(config.path)
    table.assign(left=(table["left"] == "left").astype(int)).to_csv(config.path, index=False)
    assert prepare(changed(config, positive=1)).classes == ["0", "1"]
    assert prepare(changed(config, positive=0)).classes == ["1", "0"]

"""`mlmw data inspect`: what it finds in files, and what it says of those that are no use."""

import csv
import gzip
import io
import json
import random
import sys
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from conftest import Mlmw, snapshot

from mlmw.errors import Refusal
from mlmw.inspection import engine, files, roles
from mlmw.inspection.inspect import inspect
from mlmw.inspection.roles import Choices

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"

ROWS = 200
Table = dict[str, Sequence[Any]]


def customers(rows: int = ROWS, seed: int = 0) -> Table:
    """A small table of every kind of column; who leaves depends on age and income."""
    draw = random.Random(seed)
    ages = [draw.randint(18, 90) for _ in range(rows)]
    incomes = [round(draw.gauss(40_000, 9_000), 2) for _ in range(rows)]
    return {
        "age": ages,
        "income": incomes,
        "country": [draw.choice(["DE", "FR", "GB"]) for _ in range(rows)],
        "newsletter": [draw.choice(["yes", "no"]) for _ in range(rows)],
        "since": [f"20{draw.randint(10, 25)}-{draw.randint(1, 12):02}-01" for _ in range(rows)],
        "churned": [
            "yes" if draw.random() < (90 - age) / 150 + (income < 35_000) / 5 else "no"
            for age, income in zip(ages, incomes, strict=True)
        ],
    }


def as_csv(table: Table, delimiter: str = ",") -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    writer.writerow(table)
    writer.writerows(zip(*table.values(), strict=True))
    return text.getvalue()


def with_column(name: str, values: Callable[[int], object] | Sequence[object]) -> Table:
    made = [values(number) for number in range(ROWS)] if callable(values) else values
    return {name: made} | customers()


GOOD = as_csv(customers())
HEADER = "age,income,country,newsletter,since,churned\n"


def damaged(line: str, after: int = 50) -> str:
    lines = GOOD.splitlines(keepends=True)
    return "".join([*lines[:after], line, *lines[after:]])


BAD: list[tuple[str, bytes | str, str]] = [
    # What is no file, or no file of a table
    ("missing.csv", "", "it does not exist; check its name and the folder you are in"),
    ("folder.csv", "", "it is a folder; name one file in it"),
    ("https://example.org/a.csv", "", "it is an address, not a file; download it first"),
    ("s3://bucket/a.csv", "", "it is an address, not a file; download it first"),
    ("data.xlsx", b"PK\x03\x04", "its name does not tell its format; name it "),
    ("data", GOOD, "its name does not tell its format; name it "),
    ("data.csv.zip", b"PK\x03\x04", "its name does not tell its format; name it "),
    ("data.parquet.gz", b"", "its name does not tell its format; name it "),
    ("empty.csv", "", "it is empty; give a file with a header and rows"),
    ("blank.csv", " \n\n \n", "it is empty; give a file with a header and rows"),
    ("empty.jsonl", "", "it is empty; give a file with a header and rows"),
    ("empty.csv.gz", gzip.compress(b""), "it is empty; give a file with a header and rows"),
    ("picture.csv", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "it holds bytes that no text has; "),
    ("text.csv.gz", GOOD, "it cannot be read (Not a gzipped file"),
    ("cut.csv.gz", gzip.compress(GOOD.encode())[:-400], "it cannot be read ("),
    ("text.parquet", GOOD, "it cannot be read as Parquet; make it anew"),
    ("mixed.csv", b"gr\xc3\xb6\xc3\x9fe,b\n" + b"gr\xf6\xdfe,1\n" * 9, "some of its text is UTF-8"),
    ("odd.csv", b"a,b\n\x81\x8d,1\n", "it is encoded neither in UTF-8 nor in UTF-16 nor in "),
    # Rows and cells
    ("header.csv", HEADER, "it has a header and no rows; give a file with rows"),
    ("header-only.csv", HEADER.rstrip(), "it has a header and no rows; give a file with rows"),
    ("one-column.csv", "a\n1\n2\n", "it has one column only, so there is nothing to predict it"),
    ("one-key.jsonl", '{"a": 1}\n' * 50, "it has one column only, so there is nothing to predict"),
    ("numbers.csv", "1,2,3\n4,5,6\n7,8,9\n", "its first row is no header; name its columns in "),
    ("wide.csv", ",".join(f"c{n}" for n in range(10_000)) + "\n" + "1," * 9_999 + "1\n",
     "it has 10,000 columns, 2,000 are possible; leave out what cannot help to predict"),
    ("wide.jsonl", json.dumps({f"c{n}": n for n in range(2_500)}) + "\n",
     "it has 2,500 columns, 2,000 are possible; leave out what cannot help to predict"),
    ("short.csv", damaged("1,2\n"), "line 51 has 2 cells and the header 6; mend that line"),
    ("long.csv", damaged("1,2,3,4,5,6,7\n"), "line 51 has 7 cells and the header 6; mend that"),
    ("open.csv", damaged('1,2,"x,4,5,6\n'), "line "),
    ("first-open.csv", '"age,b\n1,2\n', "it has one column only"),
    ("cell.csv", f"a,b\n1,{'x' * 3_000_000}\n", "line 2 "),
    ("header-cell.csv", f"a,{'x' * 200_000}\n1,2\n", "the name of a column has 200,000 characters"),
    ("array.jsonl", "[1, 2]\n[3, 4]\n", "it cannot be read as JSON lines"),
    ("broken.jsonl", '{"a": 1, "b": 2}\n{"a": 1, "b"\n', "it cannot be read as JSON lines"),
    ("utf-16.jsonl", ('{"a": 1, "b": 2}\n' * 50).encode("utf-16"), "JSON lines must be UTF-8"),
    ("text.jsonl", "hello\nworld\n", "it cannot be read as JSON lines"),
    ("nested.jsonl", '{"a": [1], "b": {"c": 1}, "churned": 1}\n' * 50, "it has one column only"),
]  # fmt: skip

BAD_TARGETS: list[tuple[Table, str | None, str]] = [
    (customers(), "churn", "target 'churn': the file has no such column; did you mean 'churned'?"),
    (customers(), "xyz", "target 'xyz': the file has no such column; columns: age, income, "),
    (customers(), "since", "target 'since': it holds dates; choose a number or a class"),
    (customers(1), "age", "target 'age': it has the same value in every row; choose another"),
    (customers(20), "age", "target 'age': 20 rows have it, at least 30 are needed; collect more"),
    (with_column("y", lambda n: "a"), "y", "target 'y': it has the same value in every row; "),
    (with_column("y", lambda n: ""), "y", "target 'y': all its values are missing; "),
    (with_column("y", lambda n: "NA"), "y", "target 'y': all its values are missing; "),
    (with_column("y", lambda n: f"class {n}"), "y", "target 'y': it has "),
    (with_column("y", lambda n: "rare" if n < 3 else "common"), "y",
     "target 'y': class 'rare' has 3 rows, at least 15 are needed; merge it with another class"),
    ({"id": range(ROWS), "y": [n % 2 for n in range(ROWS)]}, "y",
     "target 'y': no other column can help to predict it"),
    ({"email": [f"{n}@example.org" for n in range(ROWS)], "name": ["Ada", "Bo"] * (ROWS // 2)},
     None, "target: no column looks as if it were to be predicted; name it: --target COLUMN"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "content", "message"), BAD, ids=[case[0] for case in BAD])
def test_a_bad_file_gets_one_line(
    mlmw: Mlmw, here: Path, name: str, content: bytes | str, message: str
) -> None:
    if name == "folder.csv":
        Path(name).mkdir()
    elif name != "missing.csv" and "://" not in name:
        Path(name).write_bytes(content.encode() if isinstance(content, str) else content)
    before = snapshot(here)
    done = mlmw("data", "inspect", name)
    assert done.code == 2
    assert done.err.startswith(f"error: file {name!r}: {message}")
    assert done.err.count("\n") == 1
    assert done.out == ""
    assert snapshot(here) == before


@pytest.mark.parametrize(
    ("table", "target", "message"), BAD_TARGETS, ids=[case[2][:40] for case in BAD_TARGETS]
)
def test_what_cannot_be_predicted_is_refused(
    tmp_path: Path, table: Table, target: str | None, message: str
) -> None:
    path = tmp_path / "data.csv"
    path.write_text(as_csv(table))
    with pytest.raises(Refusal) as refused:
        inspect(str(path), Choices(target))
    assert str(refused.value).startswith(message)
    assert "\n" not in str(refused.value)


def found(
    tmp_path: Path, content: Table | str | bytes, name: str = "data.csv", **wanted: str
) -> Any:
    """Inspect a table; the columns come by name."""
    path = tmp_path / name
    text = as_csv(content) if isinstance(content, dict) else content
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    schema = inspect(str(path), Choices(**wanted))
    return schema | {"columns": {one["name"]: one for one in schema["columns"]}}


def test_kinds_uses_and_shares(tmp_path: Path) -> None:
    schema = found(tmp_path, customers())
    kinds = {name: one["kind"] for name, one in schema["columns"].items()}
    assert kinds == {
        "age": "numeric",
        "income": "numeric",
        "country": "categorical",
        "newsletter": "boolean",
        "since": "date",
        "churned": "boolean",
    }
    uses = {name: one["role"] for name, one in schema["columns"].items()}
    assert uses == dict.fromkeys(kinds, "feature") | {"churned": "target"}
    assert (schema["target"], schema["task"]) == ("churned", "classification")
    answers = customers()["churned"]
    rare = min(("yes", "no"), key=answers.count)  # type: ignore[attr-defined]
    assert schema["positive"] == rare
    shares = schema["columns"]["churned"]["categories"]
    assert shares[rare] == pytest.approx(answers.count(rare) / ROWS)  # type: ignore[attr-defined]
    ages = sorted(customers()["age"])
    quartiles = schema["columns"]["age"]["quartiles"]
    assert (quartiles[0], quartiles[-1]) == (ages[0], ages[-1])
    assert ages[ROWS // 4 - 2] <= quartiles[1] <= ages[ROWS // 4 + 2]
    assert schema["columns"]["since"]["days"] == [
        min(customers()["since"]),
        max(customers()["since"]),
    ]
    assert schema["columns"]["age"]["whole"]
    assert not schema["columns"]["income"]["whole"]


FORMS: list[tuple[str, bytes, str]] = [
    ("a.csv", as_csv(customers(), ";").encode(), ";"),
    ("a.csv", as_csv(customers(), "|").encode(), "|"),
    ("a.tsv", as_csv(customers(), "\t").encode(), "\t"),
    ("a.csv", GOOD.replace("\n", "\r\n").encode(), ","),
    ("a.csv", GOOD.rstrip().encode(), ","),
    ("a.csv", GOOD.encode("utf-8-sig"), ","),
    ("a.csv", GOOD.encode("utf-16"), ","),
    ("a.CSV", GOOD.encode(), ","),
    ("a.csv.gz", gzip.compress(GOOD.encode()), ","),
    ("a.jsonl", "".join(
        json.dumps(dict(zip(customers(), row, strict=True))) + "\n"
        for row in zip(*customers().values(), strict=True)
    ).encode(), ""),
]  # fmt: skip


@pytest.mark.parametrize(("name", "content", "delimiter"), FORMS)
def test_the_form_of_a_file_changes_nothing(
    tmp_path: Path, name: str, content: bytes, delimiter: str
) -> None:
    plain, other = found(tmp_path, GOOD), found(tmp_path, content, name)
    assert other["delimiter"] == delimiter
    for schema in (plain, other):
        for key in ("file", "format", "delimiter", "encoding"):
            del schema[key]
    assert other == plain


def test_a_column_of_json_may_mix_its_values(tmp_path: Path) -> None:
    mixed = with_column("mixed", lambda n: ["one", 2, True, None][n % 4])
    rows = zip(*mixed.values(), strict=True)
    text = "".join(json.dumps(dict(zip(mixed, row, strict=True))) + "\n" for row in rows)
    column = found(tmp_path, text, "a.jsonl")["columns"]["mixed"]
    assert column["kind"] == "categorical"
    assert (set(column["categories"]), column["missing"]) == ({"one", "2", "True"}, 0.25)


def test_parquet(tmp_path: Path) -> None:
    plain = found(tmp_path, GOOD)
    with engine.loaded(files.look(str(tmp_path / "data.csv"))) as table:
        table.ask(
            f"COPY (SELECT c0::INT AS age, c1::DOUBLE AS income, c2 AS country, "
            f"c3 = 'yes' AS newsletter, c4::DATE AS since, c5 AS churned FROM data) "
            f"TO '{tmp_path / 'a.parquet'}' (FORMAT parquet)"
        )
    other = found(tmp_path, (tmp_path / "a.parquet").read_bytes(), "a.parquet")
    for name in ("age", "income", "country", "since", "churned"):
        assert other["columns"][name] == plain["columns"][name]
    assert other["columns"]["newsletter"]["kind"] == "boolean"
    assert set(other["columns"]["newsletter"]["categories"]) == {"True", "False"}


UNUSED: list[tuple[str, Callable[[int], object], str]] = [
    ("empty", lambda n: "", "all its values are missing"),
    ("constant", lambda n: "x", "has the same value in every row"),
    ("id", lambda n: n + 1, "is an identifier"),
    ("number", lambda n: 7 * n, "is an identifier"),
    ("counted", lambda n: n, "is an identifier"),
    ("token", lambda n: f"{n * 7919:08x}-0000-4000-8000-000000000000", "is an identifier"),
    ("ref", lambda n: f"R{n}", "is an identifier"),
    ("note", lambda n: f"they called and said {n}", "is free text"),
    ("contact", lambda n: f"p{n % 9}@example.org", "personal: looks like e-mail addresses"),
    ("reach", lambda n: f"+49 30 {1234567 + n % 9}", "personal: looks like telephone numbers"),
    ("account", lambda n: f"DE8937040044053201{n % 9:04}", "personal: looks like bank accounts"),
    ("host", lambda n: f"10.0.0.{n % 9}", "personal: looks like addresses of computers"),
    ("Name", lambda n: ["Ada", "Bo"][n % 2], "personal: its name says so"),
    ("customerFirstName", lambda n: ["Ada", "Bo"][n % 2], "personal: its name says so"),
    ("date_of_birth", lambda n: f"19{n % 90 + 10}-01-01", "personal: its name says so"),
    ("nachname", lambda n: ["Braun", "Roth"][n % 2], "personal: its name says so"),
    ("again", lambda n: customers()["age"][n], "is equal to 'again'"),
    ("left", lambda n: {"yes": "2026", "no": ""}[customers()["churned"][n]], "alone tells the"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value", "why"), UNUSED, ids=[case[0] for case in UNUSED])
def test_what_is_not_used(
    tmp_path: Path, name: str, value: Callable[[int], object], why: str
) -> None:
    schema = found(tmp_path, with_column(name, value), target="churned")
    column = schema["columns"]["age" if name == "again" else name]
    assert (column["role"], column.get("personal", False)) == ("unused", why[:8] == "personal")
    assert column["why"].startswith(why)
    assert not {"categories", "quartiles", "days"} & column.keys()


USED: list[tuple[str, Callable[[int], object], str]] = [
    ("product_name", lambda n: "AB"[n % 2], "categorical"),
    ("zip", lambda n: f"0{n % 50:03}", "categorical"),
    ("code", lambda n: ["007", "12"][n % 2], "categorical"),
    ("formula", lambda n: f"=cmd|' /C calc'!A{n % 3}", "categorical"),
    ("two lines", lambda n: ["a\nb", 'say "hi", please'][n % 2], "categorical"),
    ("größe in µm", lambda n: n % 17 / 10, "numeric"),
    ("class", lambda n: n % 17 / 10, "numeric"),
    ("1st", lambda n: n % 17 - 5, "numeric"),
    ("tiny", lambda n: f"{n % 17}e-12", "numeric"),
    ("flag", lambda n: n % 2, "boolean"),
    ("seen", lambda n: f"2026-01-{n % 28 + 1:02} 10:30:00", "date"),
    ("early", lambda n: f"0001-01-{n % 28 + 1:02}", "date"),
    ("with_gaps", lambda n: ["NA", "?", "", " 3.5 ", "4"][n % 5], "numeric"),
    ("with_dash", lambda n: "-" if n < 2 else n % 17, "numeric"),
    ("mixed", lambda n: ["1", "two", "3"][n % 3], "categorical"),
    ("huge", lambda n: "1e400" if n % 2 else "1", "categorical"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value", "kind"), USED, ids=[case[0] for case in USED])
def test_what_is_used(tmp_path: Path, name: str, value: Callable[[int], object], kind: str) -> None:
    column = found(tmp_path, with_column(name, value), target="churned")["columns"][name]
    assert (column["role"], column["kind"]) == ("feature", kind)


def test_missing_values_are_counted_and_named(tmp_path: Path) -> None:
    gaps = with_column("gaps", lambda n: ["NA", "?", "", "-", "4", "5"][min(n, 4 + n % 2)])
    schema = found(tmp_path, gaps)
    assert schema["columns"]["gaps"]["missing"] == 4 / ROWS
    assert schema["missing_as"] == ["?", "NA"]
    assert schema["columns"]["gaps"]["unreadable"]  # the dash, which is not repeated
    assert "-" not in schema["warnings"][0]


def test_names_are_made_unique(tmp_path: Path) -> None:
    text = GOOD.replace("age,income,country", "a,a,", 1)
    assert list(found(tmp_path, text)["columns"])[:3] == ["a", "a_2", "column_3"]


def test_decimal_commas(tmp_path: Path) -> None:
    prices = [f"{n % 9}.{n % 7}00,{n % 10}0" for n in range(ROWS)]
    schema = found(tmp_path, as_csv(with_column("price", prices), ";"), target="churned")
    column = schema["columns"]["price"]
    assert (column["kind"], schema["decimal_comma"]) == ("numeric", True)
    assert column["quartiles"][-1] == max(
        n % 9 * 1000 + n % 7 * 100 + n % 10 / 10 for n in range(ROWS)
    )


def test_a_repeated_identifier_groups_rows(tmp_path: Path) -> None:
    schema = found(tmp_path, with_column("customer_id", lambda n: n // 2))
    assert schema["columns"]["customer_id"]["role"] == "group"
    assert "quartiles" not in schema["columns"]["customer_id"]


def test_a_target_of_numbers_is_a_regression_or_classes(tmp_path: Path) -> None:
    assert found(tmp_path, customers(), target="income")["task"] == "regression"
    stars = with_column("stars", lambda n: n % 5)
    schema = found(tmp_path, stars, target="stars")
    assert schema["task"] == "classification"
    assert schema["warnings"] == ["its 5 numbers are taken for classes; amounts: --task regression"]
    assert found(tmp_path, stars, target="stars", task="regression")["task"] == "regression"


def test_a_leak_of_a_number_is_found(tmp_path: Path) -> None:
    table = customers(2_000)
    cents = {"cents": [round(value * 100) + 3 for value in table["income"]]}
    schema = found(tmp_path, cents | table, target="income")
    assert schema["columns"]["cents"]["why"].startswith("alone tells the target")
    assert schema["columns"]["age"]["role"] == "feature"


def test_warnings(tmp_path: Path) -> None:
    rare = with_column("y", lambda n: "" if n < 10 else "rare" if n < 26 else "common")
    content = rare | {"y": [*rare["y"], *["common"] * 300]}
    for name, values in customers(300, seed=1).items():
        content[name] = [*rare[name], *values]
    assert found(tmp_path, content, target="y")["warnings"] == [
        "10 rows have no target, and cannot be learnt from",
        "class 'rare' is rare (3.3%): accuracy alone would mislead",
    ]


def test_dates_in_another_form_are_told(tmp_path: Path) -> None:
    """They are neither dates, which a project could not read, nor telephone numbers."""
    for form in ("{:02}.03.2026", "03/{:02}/2026", "{}-3-26 10:30"):
        schema = found(tmp_path, with_column("day", lambda n, form=form: form.format(n % 28 + 1)))
        assert schema["columns"]["day"]["role"] == "feature"
        assert schema["warnings"] == ["'day' is taken for text: write its dates as 2026-01-31"]


def test_classes_that_differ_in_case_are_told(tmp_path: Path) -> None:
    schema = found(tmp_path, with_column("y", lambda n: ["Yes", "yes", "no"][n % 3]), target="y")
    told = "classes that differ in upper and lower case only: Yes, yes"
    assert schema["warnings"] == [told]


def test_two_numbers_are_classes_and_ranges_are_exact(tmp_path: Path) -> None:
    two = with_column("y", lambda n: [0.5, 2.5][n % 2])
    schema = found(tmp_path, two | {"income": [123456.789 + n for n in range(ROWS)]}, target="y")
    assert schema["task"] == "classification"
    assert schema["columns"]["income"]["quartiles"][0] == 123456.789


def test_a_class_is_known_however_a_number_is_written(tmp_path: Path) -> None:
    answers = with_column("y", lambda n: ["0", "0.0", "1", "1.0"][n % 4])
    schema = found(tmp_path, answers, target="y")
    assert schema["columns"]["y"]["categories"] == {"0": 0.5, "1": 0.5}


def test_a_rare_value_is_not_carried_along(tmp_path: Path) -> None:
    schema = found(tmp_path, with_column("job", lambda n: "astronaut" if n == 7 else "AB"[n % 2]))
    assert set(schema["columns"]["job"]["categories"]) == {"A", "B"}
    assert "astronaut" not in json.dumps(schema)


@pytest.mark.parametrize("text", ["plain", 'quoted "words",\nin two lines'])
def test_a_large_file_is_sampled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setattr(engine, "WHOLE", 50_000)
    monkeypatch.setattr(engine, "SAMPLE", 20_000)
    monkeypatch.setattr(engine, "PARTS", 8)
    table = customers(5_000) | {"text": [text] * 5_000}
    schema = found(tmp_path, table, target="churned")
    assert 100 < schema["rows"] < 2_000
    assert schema["warnings"][0].startswith("the file is large: what is said here is of ")
    if text == "plain":  # not the beginning only
        assert "pieces evenly spread" in schema["sample"]
    assert schema["columns"]["age"]["quartiles"][2] == pytest.approx(54, abs=10)


def test_the_target_is_proposed_by_name_or_place(tmp_path: Path) -> None:
    table = customers()
    assert found(tmp_path, {"churned": table["churned"]} | table)["target"] == "churned"
    table["last"] = table.pop("churned")
    assert found(tmp_path, table)["target"] == "last"


def test_without_duckdb(tmp_path: Path, mlmw: Mlmw, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hint installs what the extra holds, and not the project of this name on PyPI."""
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    monkeypatch.setitem(sys.modules, "duckdb", None)
    result = mlmw("data", "inspect", str(tmp_path / "a.csv"))
    assert result.code == 1
    assert result.err.endswith(f"; {engine.INSTALL}\n")
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    (needed,) = project["optional-dependencies"]["data"]
    assert f"pip install '{needed}'" == engine.INSTALL


def test_the_report(mlmw: Mlmw, screen: Callable[[str, str], None]) -> None:
    mail = with_column("email", lambda n: f"p{n}@example.org")
    Path("customers.csv").write_text(as_csv(mail), encoding="utf-8")
    done = mlmw("data", "inspect", "customers.csv")
    assert (done.code, done.err) == (0, "")
    screen("data-inspect.txt", done.out)
    assert json.loads(mlmw("data", "inspect", "customers.csv", "--json").out)["target"] == "churned"


def test_words_of_names() -> None:
    assert roles.words("customerEmail_2") == ["customer", "email"]
    assert roles.words("E-Mail") == ["e", "mail"]

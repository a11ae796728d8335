"""The CLI's checks and copier.yml's validators hold the same."""

from pathlib import Path

import pytest
import yaml

from mlmw import checks


@pytest.fixture(scope="module")
def questions(root: Path) -> dict[str, dict[str, object]]:
    source = (root / "copier.yml").read_text(encoding="utf-8")
    loaded: dict[str, dict[str, object]] = yaml.safe_load(source.replace("!include", ""))
    return loaded


def test_choices_are_those_of_the_template(questions: dict[str, dict[str, object]]) -> None:
    assert questions["licence"]["choices"] == list(checks.LICENCES)
    assert questions["python_version"]["choices"] == list(checks.PYTHON_VERSIONS)


def test_questions_in_order(questions: dict[str, dict[str, object]]) -> None:
    asked = [
        name
        for name, question in questions.items()
        if not name.startswith("_")
        and question.get("when") is not False
        and question.get("ask") is not False
    ]
    assert asked == [
        "project_name",
        "package",
        "description",
        "author",
        "email",
        "licence",
        "python_version",
        "recipes",
    ]


def test_limits_are_those_of_the_template(questions: dict[str, dict[str, object]]) -> None:
    limit = f"length > {checks.LONGEST_NAME}"
    assert limit in str(questions["project_name"]["validator"])
    assert f"length > {checks.LONGEST_PACKAGE}" in str(questions["package"]["validator"])

"""Each branch of the template's texts is rendered by some answers: nothing in them is dead."""

import contextlib
import re
from pathlib import Path

import pytest
from projects import choices, combinations, template_copy

from mlmw import own_data
from mlmw.render import render

TAG = re.compile(r"\{%-?\s*(if|elif|else|for)\b.*?%\}")
COLUMN = {"name": "age", "kind": "numeric", "missing": 0.0, "quartiles": [0.0] * 5}
SCHEMA = {
    "file": "a.csv", "path": "a.csv", "origin": "a.csv", "sha256": "0", "rows": 100, "every": 1,
    "delimiter": ",", "encoding": "utf-8-sig", "missing_as": [], "numbered": False, "sample": "",
    "target": "price", "task": "regression", "positive": "", "warnings": [],
    "columns": [
        COLUMN | {"role": "feature", "distinct": 9, "whole": False, "example": 1.0},
        COLUMN | {"name": "price", "role": "target", "distinct": 9, "whole": False},
    ],
}  # fmt: skip
OTHER_ANSWERS: list[dict[str, object]] = [
    {"licence": "Apache-2.0", "author": "Ada"},
    {"licence": "BSD-3-Clause", "author": "Ada", "email": "ada@example.org"},
    {"licence": "none", "email": "ada@example.org"},
    {"recipes": ["tabular"], own_data.QUESTION: SCHEMA},
    {"recipes": ["tabular", "serving"], own_data.QUESTION: SCHEMA},
]


REFUSED: list[dict[str, object]] = [
    {"project_name": " "},
    {"project_name": "x" * 61},
    {"project_name": "two\nlines"},
    {"package": "7"},
    {"package": "x" * 41},
    {"package": "class"},
    {"description": "two\nlines"},
    {"author": "two\nlines"},
    {"email": "nobody"},
]


def mark(text: str, marks: dict[str, str], path: str, form: str = "{}") -> str:
    """Put a mark of its own behind each tag that begins a branch; note what it stands for."""

    def replace(tag: re.Match[str]) -> str:
        name = f"@branch-{len(marks)}@"
        line = text[: tag.start()].count("\n") + 1
        marks[name] = f"{path}:{line}: {tag[0]}"
        return tag[0] + form.format(name)

    return TAG.sub(replace, text)


def test_every_branch_is_rendered(tmp_path: Path) -> None:
    answers = [{"recipes": list(chosen)} for chosen in combinations() if len(chosen) <= 1]
    answers += [{"recipes": choices()}, *({"recipes": []} | others for others in OTHER_ANSWERS)]
    marks: dict[str, str] = {}
    found: set[str] = set()
    with template_copy() as template:
        for path in sorted((template / "template").rglob("*.jinja")):
            # The splice of the layers' files renders what has no tags (test_recipes.py).
            if "layer_files" not in path.name:
                text = path.read_text(encoding="utf-8")
                name = path.relative_to(template).as_posix()
                path.write_text(mark(text, marks, name), encoding="utf-8")
        for number, given in enumerate(answers):
            folder = tmp_path / f"project-{number}"
            render(template, folder, given)
            for path in (path for path in folder.rglob("*") if path.is_file()):
                found |= set(re.findall(r"@branch-\d+@", path.read_text(encoding="utf-8")))
    assert marks
    assert [text for name, text in marks.items() if name not in found] == []


def test_every_branch_of_the_questions_is_taken(tmp_path: Path) -> None:
    """What a question computes may not be changed, so its branches note in a list that they ran."""
    marks: dict[str, str] = {}
    ran: list[str] = []
    answers = [{"recipes": choices(), own_data.QUESTION: SCHEMA}, {"recipes": []}, *REFUSED]
    with template_copy() as template:
        path = template / "copier.yml"
        note = "{{% set noted = ran.append('{}') %}}"
        text = mark(path.read_text(encoding="utf-8"), marks, path.name, note)
        path.write_text(text, encoding="utf-8")
        for number, given in enumerate(answers):
            refused = number >= len(answers) - len(REFUSED)
            with (
                pytest.raises(ValueError, match=next(iter(given)))
                if refused
                else contextlib.nullcontext()
            ):
                render(template, tmp_path / f"project-{number}", given | {"ran": ran})
    assert marks
    assert [text for name, text in marks.items() if name not in ran] == []

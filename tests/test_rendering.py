"""Every combination of recipes as text: complete, the same each time, and as if written by hand."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import yaml
from projects import ARTEFACTS, ROOT, combinations, label, layers, template_copy
from pytest_copie.plugin import Copie

import mlmw.render

NAME = "Straße 7: Wärme & Kälte"
PACKAGE = "strasse_7_warme_kalte"
# Lines of code of a project with one recipe; docs/architecture.md says why.
LIMITS = {"serving": 1412}
every_combination = pytest.mark.parametrize("recipes", combinations(), ids=label)


@pytest.fixture(scope="module")
def template() -> Iterator[Path]:
    with template_copy() as root:
        yield root


def files_of(folder: Path) -> dict[str, bytes]:
    files = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
    # Where the template is, and which version, differs from render to render.
    answers = re.sub(rb"_(commit|src_path): .*\n", b"", files[".copier-answers.yml"])
    return files | {".copier-answers.yml": answers}


def render(template: Path, **answers: object) -> dict[str, bytes]:
    with TemporaryDirectory() as folder:
        mlmw.render.render(template, Path(folder), answers)
        return files_of(Path(folder))


RENDERED: dict[tuple[str, ...], dict[str, bytes]] = {}


@pytest.fixture
def rendered(template: Path, recipes: tuple[str, ...]) -> dict[str, bytes]:
    """The files of a combination, rendered once for all tests that only read them."""
    if recipes not in RENDERED:
        RENDERED[recipes] = render(template, recipes=list(recipes), project_name=NAME)
    return RENDERED[recipes]


@every_combination
def test_two_renders_are_the_same(
    template: Path, rendered: dict[str, bytes], recipes: tuple[str, ...]
) -> None:
    assert render(template, recipes=list(recipes), project_name=NAME) == rendered


@pytest.mark.parametrize("recipes", [(), combinations()[-1]], ids=label)
def test_copie_renders_the_same(
    copie: Copie, rendered: dict[str, bytes], recipes: tuple[str, ...]
) -> None:
    result = copie.copy(extra_answers={"recipes": list(recipes), "project_name": NAME})
    assert result.exception is None
    assert result.project_dir is not None
    assert files_of(result.project_dir) == rendered


@every_combination
def test_exactly_the_declared_files(rendered: dict[str, bytes], recipes: tuple[str, ...]) -> None:
    template = ROOT / "template"
    names = {"{{ package }}": PACKAGE, "{{ _copier_conf.answers_file }}": ".copier-answers.yml"}
    wanted = set()
    for path in (file.relative_to(template) for file in template.rglob("*") if file.is_file()):
        if not (str(path).startswith("{%") or ARTEFACTS & set(path.parts)):
            found = re.sub(r"\{\{.*?\}\}", lambda name: names[name[0]], path.as_posix())
            wanted.add(found.removesuffix(".jinja"))
    wanted |= {
        path.replace("my_project", PACKAGE) for layer in layers(recipes) for path in layer.files
    }
    if any(layer.kind == "serving" for layer in layers(recipes)):
        wanted.add("docker-compose.yml")
    assert set(rendered) == wanted | {"LICENSE"}


@every_combination
def test_no_trace_of_the_template(rendered: dict[str, bytes], recipes: tuple[str, ...]) -> None:
    for path, content in rendered.items():
        text = content.decode("utf-8")
        for trace in ("my_project", "{%", "{#", "layer_files", "cookiecutter"):
            assert trace not in text, f"{path}: {trace}"
        # GitHub's own expressions are the only doubled braces.
        assert "{{" not in re.sub(r"\$\{\{ [\w.]+ \}\}", "", text), path


@every_combination
def test_no_scars(rendered: dict[str, bytes], recipes: tuple[str, ...]) -> None:
    for path, content in rendered.items():
        text = content.decode("utf-8")
        assert text.strip(), f"{path} is empty"
        assert text.endswith("\n"), path
        assert not text.endswith("\n\n"), path
        assert "\n\n\n\n" not in text, path
        assert path.endswith((".py", "LICENSE", ".ipynb")) or "\n\n\n" not in text, path
        assert not re.search(r"[ \t]+$", text, flags=re.MULTILINE), path


@every_combination
def test_pyproject_is_the_one_source_of_dependencies(
    rendered: dict[str, bytes], recipes: tuple[str, ...]
) -> None:
    project = tomllib.loads(rendered["pyproject.toml"].decode())["project"]
    assert project["name"] == PACKAGE.replace("_", "-")
    declared = set(project["dependencies"])
    for layer in layers(recipes):
        assert declared >= set(layer.dependencies)
        assert set(project["optional-dependencies"]["dev"]) >= set(layer.dev_dependencies)
        assert project["optional-dependencies"].items() >= layer.extras.items()
    pinned = {
        re.split(r"==", line)[0]
        for line in rendered["envs/constraints.txt"].decode().splitlines()
        if "==" in line
    }
    for requirement in declared.union(*project["optional-dependencies"].values()):
        assert re.split(r"[<>=!\[; ]", requirement)[0].lower() in pinned, requirement


@every_combination
def test_text_files_of_machines_can_be_read(
    rendered: dict[str, bytes], recipes: tuple[str, ...]
) -> None:
    for path, content in rendered.items():
        if path.endswith((".yml", ".yaml")):
            assert yaml.safe_load(content), path
        if path.endswith(".toml"):
            assert tomllib.loads(content.decode()), path


def test_nothing_is_used_that_windows_does_not_have(template: Path, tmp_path: Path) -> None:
    """Of the standard library: the project's workflow runs mypy on Windows, too."""
    mlmw.render.render(template, tmp_path, {"recipes": list(combinations()[-1])})
    options = ["--config-file=", "--no-incremental", "--platform=win32", "--follow-imports=skip"]
    options += ["--ignore-missing-imports", "--explicit-package-bases"]
    outcome = subprocess.run(
        [sys.executable, "-m", "mypy", *options, "src", "tests"],
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": "src"},
        capture_output=True,
        text=True,
    )
    assert "checked" in outcome.stdout, outcome.stderr
    assert re.findall(".*Module has no attribute.*", outcome.stdout) == []


def test_workflow_tells_of_newer_templates(template: Path) -> None:
    """In a job that stops nobody."""
    [job] = [
        job
        for job in yaml.safe_load(render(template)[".github/workflows/ci.yml"])["jobs"].values()
        if any("mlmw update --check" in step.get("run", "") for step in job["steps"])
    ]
    assert job["continue-on-error"] is True


def lines_of_code(source: str) -> int:
    """Count the lines that are neither blank nor comment nor docstring."""
    documented = set()
    for node in ast.walk(ast.parse(source)):
        kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        if isinstance(node, kinds) and ast.get_docstring(node):
            documented |= set(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    lines = enumerate(source.splitlines(), start=1)
    return sum(
        bool(line.strip()) and not line.strip().startswith("#") and number not in documented
        for number, line in lines
    )


@pytest.mark.parametrize("recipes", [one for one in combinations() if len(one) < 2], ids=label)
def test_a_project_with_one_recipe_can_be_read_in_an_afternoon(
    rendered: dict[str, bytes], recipes: tuple[str, ...]
) -> None:
    sources = [text.decode() for path, text in rendered.items() if path.startswith("src/")]
    assert sum(lines_of_code(source) for source in sources) < LIMITS.get(label(recipes), 1093)


@pytest.mark.parametrize("licence", ["MIT", "Apache-2.0", "BSD-3-Clause", "none"])
def test_licence(template: Path, licence: str) -> None:
    files = render(template, licence=licence, author="Ada Lovelace")
    project = tomllib.loads(files["pyproject.toml"].decode())["project"]
    if licence == "none":
        assert "LICENSE" not in files
        assert "license" not in project
        assert b"LICENSE" not in files["README.md"] + files["Dockerfile"]
    else:
        assert project["license"] == licence
        assert {"MIT": b"MIT License", "Apache-2.0": b"Apache License"}.get(
            licence, b"BSD 3-Clause License"
        ) in files["LICENSE"]
        assert licence == "Apache-2.0" or b"Copyright (c) Ada Lovelace" in files["LICENSE"]


@pytest.mark.parametrize(
    ("author", "email"),
    [
        ("Ada Lovelace", "ada@example.org"),
        ("Ada", ""),
        ("", "ada@example.org"),
        ('Zoë "Z" \\ 😀', "z@example.org"),
    ],
)
def test_author_and_description_may_hold_any_text(template: Path, author: str, email: str) -> None:
    description = 'A "quoted" \\ text: 100 % #1 {braces} 😀'
    files = render(template, author=author, email=email, description=description)
    project = tomllib.loads(files["pyproject.toml"].decode())["project"]
    wanted = {"name": author} if author else {}
    assert project["authors"] == [wanted | ({"email": email} if email else {})]
    assert project["description"] == description
    assert description in files["README.md"].decode()


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_python_version(template: Path, version: str) -> None:
    files = render(template, python_version=version)
    assert (
        tomllib.loads(files["pyproject.toml"].decode())["project"]["requires-python"]
        == f">={version}"
    )
    assert f"FROM python:{version}-slim".encode() in files["Dockerfile"]
    assert f'python-version: "{version}"'.encode() in files[".github/workflows/ci.yml"]
    assert f"python={version}".encode() in files["envs/environment.yml"]


@pytest.mark.parametrize("package", ["x", "p" * 40])
def test_no_formatting_depends_on_the_length_of_the_name(package: str, template: Path) -> None:
    """Ruff finds nothing to change, however short or long the package is called.

    It judges each module by its text and the settings, so that of two combinations with the same
    ones it needs to see one. The largest come first.
    """
    seen: set[object] = set()
    for recipes in reversed(combinations()):
        with TemporaryDirectory() as folder:
            mlmw.render.render(
                template, Path(folder), {"recipes": list(recipes), "package": package}
            )
            files = files_of(Path(folder))
            settings = tomllib.loads(files["pyproject.toml"].decode())["tool"]["ruff"]
            judged = {one for one in files.items() if one[0].endswith((".py", ".ipynb"))}
            if seen >= {*judged, str(settings)}:
                continue
            seen |= {*judged, str(settings)}
            for check in (["check", "--no-cache"], ["format", "--check", "--no-cache"]):
                command = [sys.executable, "-m", "ruff", *check, "."]
                outcome = subprocess.run(command, cwd=folder, capture_output=True, text=True)
                assert outcome.returncode == 0, f"{package}, {recipes}:\n{outcome.stdout}"

"""What every rendered project holds besides Python, under the tools made for it: no findings.

A file that is the same in several combinations is checked once in each process of the tests.
"""

import ast
import functools
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from projects import ROOT, Project, combinations, rendered_files

pytestmark = pytest.mark.proof

PROJECTS = [Project(recipes) for recipes in combinations()]
every_project = pytest.mark.parametrize("project", PROJECTS, ids=lambda one: one.label)
SCRIPTS = Path(sys.executable).parent


@functools.cache
def findings(command: tuple[str, ...], name: str, content: bytes) -> str:
    """What a tool prints about a file of this name and content; nothing where all is well."""
    with TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        outcome = subprocess.run(
            [SCRIPTS / command[0], *command[1:], name],
            cwd=folder,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )
    return outcome.stdout + outcome.stderr if outcome.returncode else ""


@pytest.fixture
def files(project: Project) -> dict[str, bytes]:
    assert project.folder.is_dir(), "run `python tests/prove.py` first, or `make test`"
    return rendered_files(project.folder)


@every_project
def test_workflows(files: dict[str, bytes]) -> None:
    schema = ("check-jsonschema", "--builtin-schema", "vendor.github-workflows")
    audit = ("zizmor", "--offline", "--no-progress", "--quiet")
    found = [name for name in files if name.startswith(".github/workflows/")]
    assert found
    for name in found:
        assert findings(schema, name, files[name]) == ""
        assert findings(audit, name, files[name]) == ""


def test_the_workflow_of_this_repository() -> None:
    path = ROOT / ".github/workflows/ci.yml"
    schema = ("check-jsonschema", "--builtin-schema", "vendor.github-workflows")
    assert findings(schema, path.name, path.read_bytes()) == ""
    audit = ("zizmor", "--offline", "--no-progress", "--quiet")
    assert findings(audit, f".github/workflows/{path.name}", path.read_bytes()) == ""


@every_project
def test_compose_files(files: dict[str, bytes]) -> None:
    schema = ("check-jsonschema", "--builtin-schema", "vendor.compose-spec")
    for name in [name for name in files if "compose" in name and name.endswith((".yml", ".yaml"))]:
        assert findings(schema, name, files[name]) == ""


def test_every_setting_of_the_service_is_documented_and_reaches_its_container() -> None:
    recipe = ROOT / "recipes/serving/files"
    source = (recipe / "src/my_project/serving/settings.py").read_text("utf-8")
    [settings] = [one for one in ast.parse(source).body if getattr(one, "name", "") == "Settings"]
    names = {
        f"SERVE_{one.target.id}".upper()
        for one in ast.walk(settings)
        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)
    }
    assert "SERVE_BATCH_SIZE" in names
    page = (recipe / "docs/serving.md").read_text("utf-8")
    assert set(re.findall(r"`(SERVE_[A-Z0-9_]+)`", page.partition("## Settings")[2])) == names
    files = rendered_files(Project(("serving",)).folder)
    passed = re.findall(r"^      (SERVE_\w+):$", files["docker-compose.yml"].decode(), re.MULTILINE)
    assert set(passed) == names - {"SERVE_HOST", "SERVE_PORT"}  # which the Dockerfile sets


@every_project
def test_dockerfile(files: dict[str, bytes]) -> None:
    assert findings(("hadolint",), "Dockerfile", files["Dockerfile"]) == ""


@every_project
def test_pyproject(files: dict[str, bytes]) -> None:
    assert findings(("validate-pyproject",), "pyproject.toml", files["pyproject.toml"]) == ""


def test_no_secrets(tmp_path: Path) -> None:
    """Of all projects; notebooks are left out, as their pictures are random text to a scanner.

    So are checksums, the commits of pinned actions, and words that stand for a password.
    """
    contents = {
        (name, content)
        for project in PROJECTS
        for name, content in rendered_files(project.folder).items()
        if not name.endswith(".ipynb")
    }
    paths = [tmp_path / str(number) / name for number, (name, _) in enumerate(sorted(contents))]
    for path, (_, content) in zip(paths, sorted(contents), strict=True):
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
    options = [
        "--exclude-lines",
        "SHA256|uses: ",
        "--exclude-secrets",
        "^(secret|do-not-echo|PASSWORD)$",
    ]
    command = [SCRIPTS / "detect-secrets-hook", *options, *paths]
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stdout

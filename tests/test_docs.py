"""What a project's texts say: commands that run, links that lead somewhere, steps that work.

The pages' Python is run by the projects' own tests.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from projects import OWN, PACKAGE, ROOT, Project, choices, combinations, of_data
from proof.commands import ELSEWHERE, commands

pytestmark = pytest.mark.proof

PROJECTS = [*(Project(recipes) for recipes in combinations()), *of_data()]
every_project = pytest.mark.parametrize("project", PROJECTS, ids=lambda one: one.label)
LINK = re.compile(r"\[[^\]]*\]\(([^)#:]+)(?:#[^)]*)?\)")


def pages(project: Project) -> Iterator[Path]:
    """The Markdown of a project, its README first."""
    assert project.folder.is_dir(), "run `python tests/prove.py` first, or `make test`"
    yield from (project.folder / name for name in ("README.md", "CONTRIBUTING.md"))
    yield from sorted((project.folder / "docs").glob("*.md"))


def shown(project: Project) -> list[list[str]]:
    """The commands of each page."""
    makefile = (project.folder / "Makefile").read_text(encoding="utf-8")
    return [commands(page.read_text(encoding="utf-8"), makefile) for page in pages(project)]


def test_the_help_tells_all_of_each_command() -> None:
    project = Project(tuple(choices()))
    assert project.python.exists(), "run `python tests/prove.py` first, or `make test`"
    command = [project.python, "-m", PACKAGE, "--help"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    listed = " ".join(printed.partition("Commands:")[2].split())
    assert "Train; the last line printed is the run's folder." in listed
    assert "..." not in listed


@every_project
def test_every_command_is_run(project: Project) -> None:
    readme, *others = shown(project)
    run_by_use = {one for one in readme if one.startswith("python -m my_project ")}
    known = run_by_use | ELSEWHERE.keys()
    assert [one for page in (readme, *others) for one in page if one not in known] == []


def test_every_exception_is_needed_and_true() -> None:
    found = {one for project in PROJECTS for page in shown(project) for one in page}
    assert ELSEWHERE.keys() - found == set()
    for command, (path, words) in ELSEWHERE.items():
        assert words in (ROOT / path).read_text(encoding="utf-8"), command


@every_project
def test_links_lead_to_files(project: Project) -> None:
    for page in pages(project):
        targets = set(LINK.findall(page.read_text(encoding="utf-8")))
        for target in targets - {".copier-answers.yml"}:  # the proof leaves it out
            assert (page.parent / target).is_file(), f"{page.name}: {target}"


@every_project
def test_the_readme_names_each_page(project: Project) -> None:
    readme, _, *docs = pages(project)
    links = LINK.findall(readme.read_text(encoding="utf-8"))
    assert {f"docs/{page.name}" for page in docs} == {one for one in links if "docs/" in one}


@every_project
def test_the_dev_container_can_be_read(project: Project) -> None:
    """Keys and types are those of its schema (containers.dev), which no registry carries."""
    path = project.folder / ".devcontainer/devcontainer.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    kinds = {key: type(value) for key, value in content.items()}
    texts = dict.fromkeys(("name", "image", "postCreateCommand"), str)
    assert kinds == texts | {"remoteEnv": dict, "customizations": dict}
    minimum = re.search(
        r'requires-python = ">=(.*)"', (project.folder / "pyproject.toml").read_text("utf-8")
    )
    assert minimum
    assert f"python:{minimum[1]}-" in content["image"]


@pytest.fixture
def owned(tmp_path: Path) -> Path:
    """A copy of the smallest project, as its owner has it."""
    target = tmp_path / "project"
    shutil.copytree(PROJECTS[0].folder, target, ignore=shutil.ignore_patterns(*OWN))
    return target


def run(folder: Path, *command: str, code: int = 0, **variables: str) -> str:
    """Run a command in a copy of the project, with its environment active."""
    python = PROJECTS[0].python
    path = os.pathsep.join([str(python.parent), os.environ["PATH"]])
    # The environment is the original's; the copy's own source comes first.
    own = {"PATH": path, "PYTHONPATH": str(folder / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    outcome = subprocess.run(
        [str(python) if word == "python" else word for word in command],
        cwd=folder,
        env=os.environ | own | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert outcome.returncode == code, outcome.stdout
    return outcome.stdout


def test_a_model_is_added_as_contributing_says(owned: Path) -> None:
    contributing = (owned / "CONTRIBUTING.md").read_text(encoding="utf-8")
    [module] = re.findall(r"```python\n(.*?)```", contributing, flags=re.DOTALL)
    package = owned / "src" / PACKAGE
    (package / "training/second.py").write_text(module, encoding="utf-8")
    (owned / "experiments/second.toml").touch()
    marks = "<!-- report:second -->\n<!-- /report:second -->\n"
    (owned / "docs/model_card_second.md").write_text(marks, encoding="utf-8")
    with (owned / "README.md").open("a", encoding="utf-8") as readme:
        readme.write(marks)
    path = package / "workloads.py"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('NAMES = ["', 'NAMES = ["second", "'), encoding="utf-8")
    run(owned, "python", "-m", "ruff", "check", ".")
    run(owned, "python", "-m", "ruff", "format", "--check", "src")
    run(owned, "python", "-m", "mypy", "--cache-dir", str(ROOT / "build" / "mypy" / "docs"))
    printed = run(owned, "python", "-m", "pytest", "-q", "tests/test_contract.py", "-k", "second")
    assert re.search(r"^[1-9]\d* passed", printed, flags=re.MULTILINE), printed
    run(owned, "python", "-m", PACKAGE, "train", "second")
    assert "model_card_second.md" in run(owned, "python", "-m", PACKAGE, "report")
    assert "run `second-" in (owned / "README.md").read_text(encoding="utf-8")


def test_each_commit_is_checked(owned: Path) -> None:
    """The hooks refuse what is badly formatted, and a notebook without its output."""
    run(owned, "git", "init", "--quiet")
    run(owned, "pre-commit", "install")
    run(owned, "git", "add", "--all")
    identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    run(owned, "git", *identity, "commit", "--quiet", "--no-verify", "--message", "first")
    [notebook] = (owned / "notebooks").glob("*.ipynb")
    content = json.loads(notebook.read_text(encoding="utf-8"))
    for cell in content["cells"]:
        if cell["cell_type"] == "code":
            cell |= {"outputs": [], "execution_count": None}
    notebook.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    ugly = owned / "src" / PACKAGE / "ugly.py"
    ugly.write_text('"""A module."""\nimport os\nx = {  }\n', encoding="utf-8")
    run(owned, "git", "add", "--all")
    commit = ("git", *identity, "commit", "--message", "second")
    printed = run(owned, *commit, code=1, SKIP="mypy")
    assert re.findall(r"^(.*?)\.\.\.+(?:.*)(Failed|Passed)$", printed, flags=re.MULTILINE) == [
        ("ruff check", "Failed"),
        ("ruff format", "Failed"),
        ("notebooks run, and are kept with their output", "Failed"),
    ]
    assert "run it from top to bottom, then save it" in printed
    run(owned, "git", "checkout", "HEAD", "--", "notebooks")
    run(owned, "python", "-m", "ruff", "check", "--fix", ".")
    run(owned, "python", "-m", "ruff", "format", ".")
    run(owned, "git", "add", "--all")
    run(owned, *commit, SKIP="mypy")

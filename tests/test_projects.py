"""Every combination of recipes as a project: it lints, tests, trains, reports and predicts.

Each runs in an environment that holds only what it declares, made by its own set-up.
"""

import json
import shutil
from pathlib import Path

import pytest
from projects import Project, combinations, label, layers

every_project = pytest.mark.parametrize(
    "project", [Project(recipes) for recipes in combinations()], ids=lambda one: label(one.recipes)
)


@every_project
def test_prepared_project_is_what_the_template_renders(project: Project, tmp_path: Path) -> None:
    fresh = tmp_path / "project"
    project.render(fresh)
    assert project.folder.is_dir(), "run `python tests/projects.py` first, or `make test`"
    assert project.files() == project.files(fresh), "run `python tests/projects.py` again"


@every_project
def test_own_lint(project: Project) -> None:
    for tool in (["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"]):
        outcome = project.run("-m", *tool)
        assert outcome.returncode == 0, outcome.stdout + outcome.stderr


@every_project
def test_own_tests(project: Project) -> None:
    outcome = project.run("-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert "skipped" not in outcome.stdout


@every_project
def test_trains_reports_and_predicts(project: Project, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(project.folder, copy, ignore=shutil.ignore_patterns(".*", "src", "tests"))
    [package] = [path.name for path in (project.folder / "src").iterdir() if path.is_dir()]
    workloads = [layer.name for layer in layers(project.recipes) if layer.kind == "workload"]
    for workload in workloads:
        trained = project.run("-m", package, "train", workload, cwd=copy)
        assert trained.returncode == 0, trained.stderr
        run = copy / trained.stdout.splitlines()[-1]
        metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
        metadata = json.loads((run / "metadata.json").read_text(encoding="utf-8"))
        metric = metadata["primary_metric"]
        assert metrics["test"][metric] > metrics["baseline"][metric]
        arguments = ["predict", str(run / "examples.jsonl"), "--workload", workload]
        predicted = project.run("-m", package, *arguments, cwd=copy)
        assert predicted.returncode == 0, predicted.stderr
        assert all("prediction" in json.loads(line) for line in predicted.stdout.splitlines())
    reported = project.run("-m", package, "report", cwd=copy)
    assert reported.returncode == 0, reported.stderr
    readme = (copy / "README.md").read_text(encoding="utf-8")
    assert "Not trained yet" not in readme
    assert all((copy / "reports" / workload).is_dir() for workload in workloads)


@every_project
def test_declared_packages_cannot_be_shadowed_by_the_project(project: Project) -> None:
    """The names that can be imported in a project's environment are names no package may take."""
    import yaml

    names = "import importlib.metadata as m; print(*m.packages_distributions())"
    importable = set(project.run("-c", names).stdout.split())
    reserved_path = Path(__file__).parents[1] / "generator/mlmw/reserved-names.yml"
    [reserved] = yaml.safe_load(reserved_path.read_text(encoding="utf-8"))
    [package] = [path.name for path in (project.folder / "src").iterdir() if path.is_dir()]
    candidates = {name.lower() for name in importable if name.isidentifier() and name[0] != "_"}
    direct = {name for name in candidates if name != package}
    assert direct - set(reserved.split()) == set()

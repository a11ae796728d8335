"""The proof is worth something: faults that are planted are found, and named.

Each fault is planted in a copy of the repository, whose projects take their packages from the
environment that the proof has made before (`make test` runs it first).
"""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from projects import ARTEFACTS, PACKAGE, ROOT, Project, choices
from proof.environment import Packages, site_packages
from proof.evidence import Evidence, Subject, gather
from proof.modules import modules

pytestmark = pytest.mark.proof

EVERYTHING = Project(tuple(choices()))


class Repository:
    """A copy of the repository, to plant faults in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        ignored = shutil.ignore_patterns(*ARTEFACTS, ".git", ".venv", "build", "dist")
        shutil.copytree(ROOT, folder, ignore=ignored)

    def plant(self, path: str, old: str, new: str) -> None:
        """Replace the only place in a file where `old` stands."""
        text = (self.folder / path).read_text(encoding="utf-8")
        assert text.count(old) == 1, path
        (self.folder / path).write_text(text.replace(old, new), encoding="utf-8")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run this Python in the copy."""
        environment = {"PYTHONPATH": str(self.folder / "generator"), "PYTHONUTF8": "1"}
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=os.environ | environment,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )

    def prove(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the proof in the copy."""
        return self.run("tests/prove.py", "--python", str(EVERYTHING.python), *arguments)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    assert EVERYTHING.python.exists(), "run `python tests/prove.py` first, or `make test`"
    return Repository(tmp_path / "copy")


def test_an_undeclared_import_is_found(repository: Repository) -> None:
    """pandas is installed, but only where the recipe for tables is chosen."""
    path = "recipes/baseline/files/src/my_project/models/baseline.py"
    repository.plant(path, "import numpy as np\n", "import numpy as np\nimport pandas\n")
    outcome = repository.prove("--only", "none", "--check", "imports")
    assert outcome.returncode == 1
    assert "FAILED none: imports" in outcome.stdout
    assert "No module named 'pandas'" in outcome.stdout


def test_a_wrong_type_is_found(repository: Repository) -> None:
    path = "recipes/baseline/files/src/my_project/models/baseline.py"
    repository.plant(path, "import numpy as np\n", 'import numpy as np\n\nSEED: int = "0"\n')
    outcome = repository.prove("--only", "none", "--check", "types")
    assert outcome.returncode == 1
    assert "FAILED none: types" in outcome.stdout
    assert "models/baseline.py:" in outcome.stdout
    assert "Incompatible types in assignment" in outcome.stdout


def test_a_training_that_fails_in_one_pair_only_is_found(repository: Repository) -> None:
    """The smallest combination in which it fails is named, with the command that repeats it."""
    repository.plant(
        "template/src/{{ package }}/pipeline.py",
        "    workload = workloads.load(name)\n    data = workload.prepare(config)\n",
        "    workload = workloads.load(name)\n    data = workload.prepare(config)\n"
        "    if len(workloads.NAMES) > 1:\n        raise RuntimeError('two of them')\n",
    )
    labels = ["tabular", "tabular-cnn"]
    only = [word for label in labels for word in ("--only", label)]
    outcome = repository.prove(*only, "--check", "use")
    assert outcome.returncode == 1
    assert "passed tabular: use" in outcome.stdout
    assert "FAILED tabular-cnn: use" in outcome.stdout
    assert "RuntimeError: two of them" in outcome.stdout
    assert "python tests/prove.py --only tabular-cnn --check use" in outcome.stdout


def test_a_file_in_two_layers_is_found(repository: Repository) -> None:
    path = "src/my_project/data/baseline.py"
    target = repository.folder / "recipes/local-tracking/files" / path
    target.parent.mkdir(parents=True)
    shutil.copy(repository.folder / "recipes/baseline/files" / path, target)
    old = "  files:\n"
    repository.plant("recipes/local-tracking/recipe.yml", old, f"{old}    - {path}\n")
    outcome = repository.run(
        "-m", "pytest", "-q", "tests/test_recipes.py", "-k", "twice", "-p", "no:cacheprovider"
    )
    assert outcome.returncode == 1
    assert "test_no_path_is_written_twice[none]" in outcome.stdout
    assert path in outcome.stdout


def test_a_dead_branch_is_found(repository: Repository) -> None:
    old = "{% for layer in layers if layer.kind in ('workload', 'data')"
    new = "{% if layers | length > 99 %}never{% endif %}\n" + old
    repository.plant("template/README.md.jinja", old, new)
    outcome = repository.run(
        "-m", "pytest", "-q", "tests/test_branches.py", "-p", "no:cacheprovider"
    )
    assert outcome.returncode == 1
    assert "README.md.jinja" in outcome.stdout
    assert "layers | length > 99" in outcome.stdout


def test_a_combination_that_is_none_is_refused(repository: Repository) -> None:
    outcome = repository.prove("--only", "tabular-quantum")
    assert outcome.returncode == 2
    assert "no such combination: tabular-quantum" in outcome.stderr


def test_an_environment_without_a_requirement_is_no_base() -> None:
    with pytest.raises(LookupError, match="quantum-forest"):
        Packages(EVERYTHING.python).closure(["quantum-forest>=1"])


def subject(**files: str) -> Subject:
    content = {path.replace("__", "/"): text.encode() for path, text in files.items()}
    return Subject("one", Path("one"), Path("one/python"), content, frozenset({"a==1"}))


def evidence(of: Subject) -> Evidence:
    return Evidence(
        "check",
        of.label,
        1.0,
        files={"read.txt": of.hash("read.txt"), "missing.txt": None},
        listings={"folder": of.listing("folder")},
        modules={},
        packages=["a==1"],
    )


PROVED = {"read.txt": "1", "folder__a": "", "other.txt": "1"}


@pytest.mark.parametrize(
    ("changed", "holds"),
    [
        ({}, True),
        ({"other.txt": "2"}, True),
        ({"read.txt": "2"}, False),
        ({"missing.txt": ""}, False),
        ({"folder__b": ""}, False),
    ],
)
def test_evidence_holds_while_all_that_was_read_is_the_same(
    changed: dict[str, str], holds: bool
) -> None:
    proof = evidence(subject(**PROVED))
    assert proof.holds_for(subject(**(PROVED | changed)), []) is holds


@pytest.mark.parametrize(("packages", "holds"), [({"a==2"}, False), ({"a==1", "b==1"}, True)])
def test_evidence_holds_for_the_same_packages_only(packages: set[str], holds: bool) -> None:
    before = subject(**PROVED)
    after = Subject("two", Path(), Path(), before.files, frozenset(packages))
    assert evidence(before).holds_for(after, []) is holds


def test_evidence_holds_for_what_was_asked_only() -> None:
    proof = replace(evidence(subject(**PROVED)), asked=["train", "report"])
    assert proof.holds_for(subject(**PROVED), ("train", "report"))
    assert proof.holds_for(subject(**PROVED), ("report",))
    assert not proof.holds_for(subject(**PROVED), ("train", "report", "promote"))


SOURCES = {
    "pyproject.toml": "[tool]",
    f"src/{PACKAGE}/__init__.py": "",
    f"src/{PACKAGE}/first.py": "from . import second",
    f"src/{PACKAGE}/second.py": "from .third import answer",
    f"src/{PACKAGE}/third.py": "answer = 1",
    f"src/{PACKAGE}/alone.py": "import numpy",
}


def project(packages: Packages, names: set[str], **changed: str) -> Subject:
    sources = SOURCES | {f"src/{PACKAGE}/{name}.py": text for name, text in changed.items()}
    content = {path: text.encode() for path, text in sources.items()}
    return Subject("one", Path("one"), Path(), content, frozenset(packages.versions(names)))


@pytest.mark.parametrize(
    ("changed", "lacks", "other_parts"),
    [
        ({}, "", 0),
        ({"third": "answer = 2"}, "", 3),  # and what imports it, at whatever distance
        ({"first": ""}, "", 1),
        ({}, "numpy", 1),
    ],
)
def test_a_part_is_a_module_with_all_that_it_needs(
    changed: dict[str, str], lacks: str, other_parts: int
) -> None:
    packages, names = Packages(EVERYTHING.python), {"mypy", "numpy"}
    before = modules(project(packages, names), packages, "mypy")
    after = modules(project(packages, names - {lacks}, **changed), packages, "mypy")
    assert len(before) == len(after) == 5
    assert len(after - before) == other_parts


@pytest.mark.parametrize(
    ("lines", "read"),
    [
        ("file\tROOT/src/a.py", {"src/a.py"}),
        ("text\tROOT/src/a.py\nwalk\tROOT/src/package", set()),  # hashed, or sent elsewhere
        ("copy\tROOT/src/a.py\t/tmp/x/a.py\nfile\t/tmp/x/a.py", {"src/a.py"}),
        (f"import\t{PACKAGE}.third", {f"src/{PACKAGE}/third.py"}),  # from a copy, wherever it is
        ("list\tROOT/src", {"src/"}),
        ("walk\tROOT/docs", {"docs/"}),
    ],
)
def test_a_source_counts_where_it_is_run(tmp_path: Path, lines: str, read: set[str]) -> None:
    packages = Packages(EVERYTHING.python)
    root, traces = tmp_path / "project", tmp_path / "traces"
    traces.mkdir()
    text = lines.replace("ROOT", str(root)).replace("/", os.sep)
    (traces / "1").write_text(f"{text}\n", encoding="utf-8")
    content = {path: text.encode() for path, text in SOURCES.items()}
    python = root / ".venv" / "bin" / "python"
    subject = Subject("one", root, python, content, frozenset())
    found = gather("check", [], subject, 1.0, traces, [], packages)
    assert found
    assert {*found.files, *(f"{folder}/" for folder in found.listings)} == read


def test_a_package_counts_where_more_is_read_than_its_description(tmp_path: Path) -> None:
    packages, python = Packages(EVERYTHING.python), tmp_path / ".venv" / "bin" / "python"
    described = packages.by_name["pandas"].version
    read = ["numpy/__init__.py", f"pandas-{described}.dist-info/METADATA"]
    lines = [f"file\t{site_packages(python).joinpath(path)}\n" for path in read]
    (tmp_path / "traces").mkdir()
    (tmp_path / "traces" / "1").write_text("".join(lines), encoding="utf-8")
    one = Subject("one", tmp_path, python, {}, frozenset())
    found = gather("check", [], one, 1.0, tmp_path / "traces", [], packages)
    assert found
    assert found.packages == packages.versions(["numpy"])


def test_a_process_that_was_not_followed_leaves_no_evidence(tmp_path: Path) -> None:
    traces = tmp_path / "traces"
    traces.mkdir()
    (traces / "1").write_text("blind\tpython\n", encoding="utf-8")
    packages = Packages(EVERYTHING.python)
    assert gather("check", [], subject(**PROVED), 1.0, traces, [], packages) is None

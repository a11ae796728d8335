"""The wheel and the source distribution: `mlmw` outside the checkout, with its template inside."""

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest
import uv
from conftest import Mlmw
from test_new import answers, files, without_source

from mlmw import __version__
from mlmw.history import HISTORY, KEPT, PROVENANCE

CACHES = {"__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache"}


@pytest.fixture(scope="module")
def checkout(root: Path) -> Path:
    if not (root / "pyproject.toml").is_file():
        pytest.skip("the tests run against an installed mlmw: there is nothing to build from")
    return root


@pytest.fixture(scope="module")
def distributions(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel built from it."""
    folder = tmp_path_factory.mktemp("dist")
    # Without isolation the build needs no network: hatchling is among the development tools.
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder)]
    subprocess.run([*command, str(checkout)], check=True, stdout=subprocess.DEVNULL)
    return folder


@pytest.fixture(scope="module")
def installed(distributions: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `mlmw` script of a new environment, which borrows only mlmw's dependencies."""
    folder = tmp_path_factory.mktemp("installed") / "env"
    venv.create(folder, symlinks=os.name != "nt")
    scripts = folder / ("Scripts" if os.name == "nt" else "bin")
    python = scripts / "python"
    (wheel,) = distributions.glob("*.whl")
    if importlib.util.find_spec("pip"):
        installer = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-index"]
    else:
        installer = [uv.find_uv_bin(), "pip", "install", "--python", str(python), "--offline"]
        installer += ["--compile-bytecode"]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    subprocess.run([*installer, "--quiet", "--no-deps", str(wheel)], check=True, env=environment)
    (site_packages,) = folder.rglob("site-packages")
    (site_packages / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return scripts / "mlmw"


def template_files(checkout: Path) -> set[str]:
    return {
        path.relative_to(checkout).as_posix()
        for part in ("copier.yml", "template", "recipes", "generator/mlmw/reserved-names.yml")
        for path in [checkout / part, *(checkout / part).rglob("*")]
        if path.is_file() and not CACHES & set(path.parts)
    }


def carried(checkout: Path) -> set[str]:
    """The history, which only a checkout has."""
    return {HISTORY, PROVENANCE} if (checkout / ".git").exists() else set()


def test_wheel_holds_the_whole_template(checkout: Path, distributions: Path) -> None:
    (wheel,) = distributions.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    prefix = "mlmw/_template/"
    packed = {name.removeprefix(prefix) for name in names if name.startswith(prefix)}
    assert packed == template_files(checkout) | carried(checkout)


def test_sdist_holds_what_builds_and_tests(checkout: Path, distributions: Path) -> None:
    (sdist,) = distributions.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert template_files(checkout) <= names
    assert {"pyproject.toml", "README.md", "LICENSE", "tests/conftest.py"} <= names
    assert not [name for name in names if CACHES & set(name.split("/"))]


def test_installed_command(
    installed: Path, here: Path, mlmw: Mlmw, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("PYTHONPATH", raising=False)
    version = subprocess.run([installed, "--version"], check=True, capture_output=True, text=True)
    assert version.stdout == f"mlmw {__version__}\n"
    command = ["new", "my-project", "--recipe", "tabular", "--defaults"]
    subprocess.run([installed, *command], check=True, stdout=subprocess.DEVNULL)
    shutil.move(here / "my-project", tmp_path / "installed-project")
    assert mlmw(*command).code == 0
    made = tmp_path / "installed-project"
    assert without_source(made) == without_source(here / "my-project")
    assert answers(made)["_src_path"] == KEPT
    (source,) = installed.parent.parent.rglob("_template")
    # pip has compiled the template's own Python, so leaving that out was put to the test.
    assert list((source / "template").rglob("*.pyc"))
    assert not [path for path in files(made) if path.endswith(".pyc")]

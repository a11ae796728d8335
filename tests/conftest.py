import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import releases
from releases import Releases

from mlmw import cli
from mlmw.template import template_root

SCREENS = Path(__file__).parent / "screens"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-screens", action="store_true", help="write what tests/screens should hold"
    )
    parser.addoption("--every-point", action="store_true", help="kill everywhere, not at a sample")
    parser.addoption("--examples", type=int, help="how many random updates to try")


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str


Mlmw = Callable[..., Result]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, and nothing of the user's own settings."""
    for name in [name for name in os.environ if name.startswith(("GIT_", "COPIER_"))]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("MLMW_CONFIG", raising=False)
    settings = tmp_path / "copier-settings.yml"
    settings.write_text("{}\n", encoding="utf-8")  # Copier refuses an empty file
    monkeypatch.setenv("COPIER_SETTINGS_PATH", str(settings))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    (tmp_path / "gitconfig").write_text("[init]\ntemplateDir =\n")  # no samples of hooks
    monkeypatch.delenv("EMAIL", raising=False)
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def mlmw(capfd: pytest.CaptureFixture[str]) -> Mlmw:
    """Runs a command line in this process."""

    def run(*arguments: str) -> Result:
        capfd.readouterr()
        code = cli.run(arguments)
        return Result(code, *capfd.readouterr())

    return run


@pytest.fixture
def screen(pytestconfig: pytest.Config) -> Callable[[str, str], None]:
    """Holds a whole output against the file of that name below tests/screens."""

    def check(name: str, text: str) -> None:
        path = SCREENS / name
        if pytestconfig.getoption("update_screens"):
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8")

    return check


@pytest.fixture(scope="session")
def root() -> Path:
    return template_root()


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Releases:
    """Three releases of the real template, none of them published."""
    return releases.real(tmp_path_factory.mktemp("releases"))


def snapshot(folder: Path) -> dict[str, bytes | None]:
    """Every path below a folder, with a file's content."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }

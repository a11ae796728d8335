"""Run the generator's tests on every Python that is installed: `python tests/pythons.py`.

Each gets an environment of its own below `build/pythons/`, for which packages are downloaded. The
tests that use the projects of the proof are left out: these have one Python, which the proof shows.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import uv

ROOT = Path(__file__).parents[1]
OLDEST, NEWEST = 11, 19


def candidates() -> Iterator[Path]:
    """What may be an interpreter: by its name, or kept by pyenv, whose names may be empty shims."""
    for minor in range(OLDEST, NEWEST + 1):
        if found := shutil.which(f"python3.{minor}"):
            yield Path(found)
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    yield from sorted(pyenv.glob("versions/3.*/bin/python"))


def version(python: Path) -> tuple[int, int] | None:
    """Its major and minor number; None where it does not start."""
    command = [str(python), "-c", "import sys; print(*sys.version_info[:2])"]
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    if outcome.returncode:
        return None
    major, minor = map(int, outcome.stdout.split())
    return major, minor


def installed() -> dict[str, Path]:
    """One interpreter of each version from 3.11 on, but that of this process."""
    found = {number: python for python in candidates() if (number := version(python))}
    wanted = {number for number in found if number >= (3, OLDEST)} - {sys.version_info[:2]}
    return {f"{major}.{minor}": found[major, minor] for major, minor in sorted(wanted)}


def prepare(name: str, python: Path) -> Path:
    """Make an environment with mlmw and the tools of its development; returns its Python."""
    folder = ROOT / "build" / "pythons" / name
    made = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    venv = ["venv", "--quiet", "--allow-existing", "--python", str(python), str(folder)]
    install = ["pip", "install", "--quiet", "--compile-bytecode", "--python", str(made)]
    for command in (venv, [*install, "-e", f"{ROOT}[dev]"]):
        subprocess.run([uv.find_uv_bin(), *command], check=True)
    return made


def main(arguments: list[str]) -> int:
    """Run pytest with the arguments, or all tests, in each Python; returns 1 where one failed."""
    without = ["-m", "not proof"]
    failed = []
    for name, python in installed().items():
        print(f"Python {name}: {python}", flush=True)
        command = [str(prepare(name, python)), "-m", "pytest", "-q", "-n", "auto", *without]
        if subprocess.run([*command, *arguments], cwd=ROOT, check=False).returncode:
            failed.append(name)
    print(f"failed with Python {', '.join(failed)}" if failed else "all passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

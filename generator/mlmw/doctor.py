"""`mlmw doctor`: which of the tools that a project uses are here, and how to get the others.

Every tool is asked at the same time, locally, and has two seconds to answer.
"""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from mlmw import layout
from mlmw.catalogue import Recipe, load_catalogue

LIMIT = 2  # seconds
OLDEST_GIT = (2, 38)  # the first with `git merge-tree --write-tree`
OLDEST_PYTHON = (3, 11)
# Gigabytes: the environment of a project without recipes, and of one with all of them.
LEAST_DISK, ENOUGH_DISK = 1, 3


@dataclass(frozen=True)
class Finding:
    """What is known of one tool."""

    tool: str
    ok: bool
    required: bool
    found: str  # what is there, in words
    remedy: str = ""  # what is lost without it, and how to get it; empty where all is well
    recipes: Sequence[str] = ()  # those that want it

    @property
    def state(self) -> str:
        """One word for the list."""
        return "ok" if self.ok else "missing" if self.required else "optional"


def examine(folder: Path) -> list[Finding]:
    """Ask all tools; the disk is that of `folder`."""
    catalogue = load_catalogue()
    checks: list[Callable[[], Finding]] = [
        _git,
        _identity,
        _python,
        _uv,
        _make,
        lambda: _docker(_wanting("docker", catalogue)),
        lambda: _gpu(_wanting("gpu", catalogue)),
        lambda: _disk(folder),
    ]
    with ThreadPoolExecutor(len(checks)) as pool:
        return [asked.result() for asked in [pool.submit(check) for check in checks]]


def healthy(findings: Sequence[Finding]) -> bool:
    """Whether nothing is missing that every project requires."""
    return all(finding.ok or not finding.required for finding in findings)


def text(findings: Sequence[Finding]) -> str:
    """A line for each tool, as wide as the terminal, and the verdict."""
    rows = [(f"{one.state:8}  {one.tool}", _sentence(one)) for one in findings]
    missing = [one.tool for one in findings if one.state == "missing"]
    verdict = f"Missing: {', '.join(missing)}." if missing else "Nothing required is missing."
    return f"{layout.table(rows)}\n\n{verdict}"


def as_json(findings: Sequence[Finding]) -> str:
    """The findings for scripts."""
    return json.dumps([asdict(one) | {"state": one.state} for one in findings], indent=2)


def _sentence(finding: Finding) -> str:
    wanted = f"; wanted by {', '.join(finding.recipes)}" if finding.recipes else ""
    return "; ".join(part for part in (f"{finding.found}{wanted}", finding.remedy) if part)


def _wanting(tool: str, catalogue: Sequence[Recipe]) -> list[str]:
    return [recipe.name for recipe in catalogue if tool in recipe.tools]


def _ask(program: str, *arguments: str) -> tuple[bool, str]:
    """Whether a program answers well, and the first line of what it says."""
    place = shutil.which(program)
    if place is None:
        return False, "not found"
    try:
        done = subprocess.run(
            [place, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=LIMIT,
            encoding="utf-8",
            errors="replace",
        )
    except subprocess.TimeoutExpired:
        return False, f"{place} gave no answer within {LIMIT} s"
    except OSError as error:
        return False, f"{place} does not start ({error.strerror})"
    said = (done.stdout.strip() or done.stderr.strip()).partition("\n")[0]
    return done.returncode == 0, said or f"{place} ended with code {done.returncode}"


def _version(said: str) -> tuple[int, ...]:
    found = re.search(r"\d+(?:\.\d+)+", said)
    return tuple(map(int, found[0].split("."))) if found else ()


def _dotted(version: Sequence[int]) -> str:
    return ".".join(map(str, version))


def _git() -> Finding:
    answers, said = _ask("git", "--version")
    ok = answers and _version(said) >= OLDEST_GIT
    remedy = f"git {_dotted(OLDEST_GIT)} or newer merges updates: https://git-scm.com/downloads"
    return Finding("git", ok, True, said, "" if ok else remedy)


def _identity() -> Finding:
    """Whom git takes for the author of a commit, be it from settings or from the environment."""
    # Without this option it may make an address up from the machine's name.
    ask = ("-c", "user.useConfigOnly=true", "var")
    roles = ("GIT_AUTHOR_IDENT", "GIT_COMMITTER_IDENT")
    answers = [_ask("git", *ask, role) for role in roles]
    ok = all(answered for answered, _ in answers)
    name = re.sub(r">[^>]*$", ">", answers[0][1])  # a time follows
    found = name if ok else "git knows no name or no e-mail address of yours"
    remedy = 'your commits need them: git config --global user.name "..." (and user.email)'
    return Finding("identity", ok, False, found, "" if ok else remedy)


def _python() -> Finding:
    """The Python that `make setup` will take, not the one that runs mlmw."""
    name = os.environ.get("BOOTSTRAP_PYTHON") or ("python" if os.name == "nt" else "python3")
    answers, said = _ask(name, "--version")
    ok = answers and _version(said) >= OLDEST_PYTHON
    remedy = (
        f"projects need Python {_dotted(OLDEST_PYTHON)} or newer: https://www.python.org/downloads"
        f", or BOOTSTRAP_PYTHON={Path(sys.executable).as_posix()}"
    )
    return Finding("python", ok, True, f"{name}: {said}", "" if ok else remedy)


def _uv() -> Finding:
    ok, said = _ask("uv", "--version")
    remedy = "pip does its work, more slowly: https://docs.astral.sh/uv"
    return Finding("uv", ok, False, said, "" if ok else remedy)


def _make() -> Finding:
    ok, said = _ask("make", "--version")
    remedy = "each project's README has the same commands without it"
    return Finding("make", ok, False, said, "" if ok else remedy)


def _docker(recipes: Sequence[str]) -> Finding:
    ok, said = _ask("docker", "version", "--format", "{{.Server.Version}}")
    here = shutil.which("docker") is not None
    found = f"engine {said}" if ok else "no engine answers the client" if here else said
    remedy = "only for container images: https://docs.docker.com/get-docker"
    return Finding("docker", ok, False, found, "" if ok else remedy, recipes)


def _gpu(recipes: Sequence[str]) -> Finding:
    if sys.platform == "darwin" and platform.machine() == "arm64":
        return Finding("gpu", True, False, "Apple silicon (MPS)", "", recipes)
    query = ("--query-gpu=name,driver_version", "--format=csv,noheader")
    ok, said = _ask("nvidia-smi", *query)
    found = f"{said} (CUDA)" if ok else f"none: nvidia-smi: {said}"
    remedy = "without one the processor trains, more slowly"
    return Finding("gpu", ok, False, found, "" if ok else remedy, recipes)


def _disk(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free / 1e9
    found = f"{free:.1f} GB free here"
    need = f"a project takes about {LEAST_DISK} GB, one with all recipes {ENOUGH_DISK} GB"
    remedy = "" if free >= ENOUGH_DISK else f"{need}: delete something, or make it elsewhere"
    return Finding("disk", free >= ENOUGH_DISK, free < LEAST_DISK, found, remedy)

"""Git: a new project's first commit, and the plumbing of updates, whatever the user's settings."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

# What Git itself sets to point at a repository, for example around a hook that runs mlmw.
REDIRECTIONS = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_NAMESPACE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
)

# The first commit takes every file, runs nothing of the user's and asks for no passphrase.
NEUTRAL = {
    "commit.gpgsign": "false",
    "core.excludesFile": os.devnull,
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "core.safecrlf": "false",
    "gc.auto": "0",
    "init.defaultBranch": "main",
    "maintenance.auto": "false",
}

# Who commits where nobody else is known.
NAME, EMAIL = "mlmw", "mlmw@localhost"

# Nothing of the user's or the system's settings: for repositories of our own in temporary folders.
ISOLATED = {
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_AUTHOR_DATE": "2000-01-01T00:00:00Z",
    "GIT_AUTHOR_EMAIL": EMAIL,
    "GIT_AUTHOR_NAME": NAME,
    "GIT_COMMITTER_DATE": "2000-01-01T00:00:00Z",
    "GIT_COMMITTER_EMAIL": EMAIL,
    "GIT_COMMITTER_NAME": NAME,
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
}
# Whose commits those are that only point to a state.
SIGNATURE = {key: value for key, value in ISOLATED.items() if key.endswith(("NAME", "EMAIL"))}
RAW = {  # contents as they are, but for what a .gitattributes beside them says
    "core.attributesFile": os.devnull,
    "core.autocrlf": "false",
    "core.eol": "lf",
    "core.quotePath": "false",
    "core.safecrlf": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "pack.threads": "1",
}
# In a user's repository: their settings count, but no hook or monitor runs.
CAREFUL = {
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "core.ignoreStat": "false",  # mlmw marks no file as one that git shall not look at
    "core.safecrlf": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
}


def available() -> bool:
    """Whether there is a git to run."""
    return shutil.which("git") is not None


def drop_redirections() -> None:
    """Make this process and those it starts find repositories by their folder alone."""
    for name in REDIRECTIONS:
        os.environ.pop(name, None)


def run(folder: Path, *arguments: str, **settings: str) -> str:
    """Run git in a folder and return what it prints; raises `CalledProcessError`."""
    options = [option for key, value in settings.items() for option in ("-c", f"{key}={value}")]
    command = ["git", *options, *arguments]
    process = subprocess.run(
        command, cwd=folder, check=True, capture_output=True, encoding="utf-8", errors="replace"
    )
    return process.stdout


def plumb(
    folder: Path,
    *arguments: str,
    data: bytes | None = None,
    settings: Mapping[str, str] = CAREFUL,
    environment: Mapping[str, str] | None = None,
) -> bytes:
    """Run a plumbing command in a folder, give it `data` to read, return the bytes it prints.

    Raises `CalledProcessError`.
    """
    options = [option for key, value in settings.items() for option in ("-c", f"{key}={value}")]
    stable = {"GIT_LITERAL_PATHSPECS": "1", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    process = subprocess.run(
        ["git", *options, *arguments],
        cwd=folder,
        env=os.environ | stable | dict(environment or {}),
        input=data if data is not None else b"",
        check=True,
        capture_output=True,
    )
    return process.stdout


def own(
    repository: Path,
    *arguments: str,
    data: bytes | None = None,
    extra: Mapping[str, str] | None = None,
) -> bytes:
    """Run git in a bare repository of our own, shut off from all settings but these.

    `extra` are environment variables, such as `GIT_INDEX_FILE` and `GIT_WORK_TREE`.
    """
    environment = ISOLATED | {"GIT_DIR": str(repository)} | dict(extra or {})
    return plumb(repository, *arguments, data=data, settings=RAW, environment=environment)


def contains(repository: Path, descendant: str, commit: str) -> bool:
    """Whether a commit is part of another one's history, in a repository of our own."""
    try:
        own(repository, "merge-base", "--is-ancestor", commit, descendant)
    except subprocess.CalledProcessError:
        return False
    return True


def first_line(error: BaseException) -> str:
    """What git or the system said, in one line."""
    said = getattr(error, "stderr", None) or getattr(error, "strerror", None) or str(error)
    text = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[0].strip().removeprefix("fatal: ").removeprefix("error: ") if lines else "unknown"


def version(folder: Path) -> tuple[int, ...]:
    """Git's version, asked in some folder; raises `OSError` or `CalledProcessError`."""
    words = run(folder, "--version").split()
    numbers = [part for part in words[2].split(".") if part.isdigit()]
    return tuple(int(number) for number in numbers)


def identity(folder: Path) -> dict[str, str]:
    """The user's `name` and `email` as far as Git knows them."""
    try:
        lines = run(folder, "config", "--get-regexp", r"^user\.(name|email)$").splitlines()
    except (OSError, subprocess.CalledProcessError):  # no git, or nothing set
        return {}
    pairs = (line.removeprefix("user.").partition(" ") for line in lines)
    return {key: value.strip() for key, _, value in pairs if value.strip()}


def enclosing(folder: Path) -> Path | None:
    """The nearest folder at or above this one that is a Git repository."""
    return next((place for place in (folder, *folder.parents) if (place / ".git").exists()), None)


def first_commit(folder: Path, message: str, author: str, email: str) -> bool:
    """Make a repository of a folder and commit all that is in it; returns whether it is somebody's.

    The given author counts only where Git knows none, and mlmw's own name where neither is there.
    Raises `OSError` or `CalledProcessError`, and leaves no half-made repository then.
    """
    known, people = identity(folder), list[str]()
    named = author if any(character.isalnum() for character in author) else NAME
    settings = NEUTRAL | {
        "user.name": known.get("name", named),
        "user.email": known.get("email", email or EMAIL),
    }
    try:
        run(folder, "init", "--quiet", **settings)
        run(folder, "add", "--all", **settings)
        run(folder, "commit", "--quiet", "--no-verify", "--message", message, **settings)
        if len(known) < 2:  # what stands in the environment counts too
            people = run(folder, "log", "--format=%an%n%ae%n%cn%n%ce", **settings).splitlines()
    except (OSError, subprocess.CalledProcessError):
        shutil.rmtree(folder / ".git", ignore_errors=True)
        raise
    return not {NAME, EMAIL} & set(people)

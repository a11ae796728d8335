"""Git, for a new project: its own repository with a first commit, whatever the user's settings."""

import os
import shutil
import subprocess
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


def first_commit(folder: Path, message: str, author: str, email: str) -> None:
    """Make a repository of a folder and commit all that is in it.

    The given author counts only where Git knows none. Raises `OSError` or `CalledProcessError`, and
    leaves no half-made repository then.
    """
    known = identity(folder)
    named = author if any(character.isalnum() for character in author) else "mlmw"
    settings = NEUTRAL | {
        "user.name": known.get("name", named),
        "user.email": known.get("email", email or "mlmw@localhost"),
    }
    try:
        run(folder, "init", "--quiet", **settings)
        run(folder, "add", "--all", **settings)
        run(folder, "commit", "--quiet", "--no-verify", "--message", message, **settings)
    except (OSError, subprocess.CalledProcessError):
        shutil.rmtree(folder / ".git", ignore_errors=True)
        raise

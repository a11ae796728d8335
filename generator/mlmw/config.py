"""Settings of a user and of a team, which `mlmw new` takes where an option is not given."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mlmw import checks, source
from mlmw.errors import Refusal, suggestion

DEFAULT_PATH = "~/.mlmw/config.toml"
VARIABLE = "MLMW_CONFIG"
PURPOSE = {
    "template": "where the template is: a URL, a Git repository or a bundle",
    "author": "who writes the projects",
    "email": "the author's e-mail address",
    "licence": "MIT, Apache-2.0, BSD-3-Clause or none",
    "python": "oldest Python that projects must run on",
    "team": "a file like this one that is shared; it counts where this one says nothing",
}
QUESTIONS = {"author": "author", "email": "email", "licence": "licence", "python": "python_version"}


@dataclass(frozen=True)
class Setting:
    """A value and the file that sets it."""

    value: str
    path: Path


def user_path() -> Path:
    """The user's file; a variable can name another one."""
    return Path(os.environ.get(VARIABLE) or DEFAULT_PATH).expanduser()


def load() -> dict[str, Setting]:
    """All that is set, the user's own before the team's; raises `Refusal` for a bad file."""
    path = user_path()
    if not path.exists() and VARIABLE not in os.environ:
        return {}
    settings = {key: Setting(value, path) for key, value in _read(path).items()}
    if "team" in settings:
        team = Path(settings["team"].value).expanduser()
        for key, value in _read(team).items():
            if key != "team":
                settings.setdefault(key, Setting(value, team))
    return settings


def offered(settings: Mapping[str, Setting]) -> dict[str, str]:
    """The settings that answer questions, by the questions' names."""
    return {question: settings[key].value for key, question in QUESTIONS.items() if key in settings}


def change(key: str, value: str | None) -> Path:
    """Set a key of the user's file, or remove it; returns the file."""
    check_key(key)
    path = user_path()
    settings = _read(path) if path.exists() else {}
    if value is None:
        settings.pop(key, None)
    else:
        settings[key] = _checked(key, value, f"{key} {value!r}")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.new")
    temporary.write_text(_toml(settings), encoding="utf-8")
    temporary.replace(path)
    return path


def _toml(settings: Mapping[str, str]) -> str:
    import json  # a JSON string is a TOML string as well, once control characters were refused

    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in settings.items()]
    return "".join(f"{line}\n" for line in sorted(lines))


def _read(path: Path) -> dict[str, str]:
    import tomllib

    what = f"settings {str(path)!r}"
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        why = f"the file cannot be read ({error.strerror})"
        raise Refusal(what, why, f"make it, or change what names it ({VARIABLE}, team)") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Refusal(what, f"the file is not TOML ({error})", "correct it") from None
    for key, value in content.items():
        check_key(key, f"{what}, key {key!r}")
        if not isinstance(value, str):
            raise Refusal(f"{what}, key {key!r}", "its value is no text", "put it in quotes")
        content[key] = _checked(key, value, f"{what}, key {key!r}")
    return content


def check_key(key: str, what: str | None = None) -> None:
    """Refuse a setting that there is not, with the nearest one."""
    if key not in PURPOSE:
        remedy = f"{suggestion(key, PURPOSE)}settings: {', '.join(PURPOSE)}"
        raise Refusal(what or f"KEY {key!r}", "there is no such setting", remedy)


def _checked(key: str, value: str, what: str) -> str:
    """A value as it will be used; raises `Refusal`."""
    if key == "email":
        return checks.email(value, what)
    if key == "licence":
        return checks.one_of(what, value, checks.LICENCES)
    if key == "python":
        return checks.one_of(what, value, checks.PYTHON_VERSIONS)
    value = checks.single_line(what, value)
    return source.normal(value) if key in ("template", "team") else value

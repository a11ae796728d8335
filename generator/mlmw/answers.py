"""The answers file of a project: what was answered, which template it came from, which version."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlmw.errors import Refusal

ANSWERS = ".copier-answers.yml"
SOURCE, VERSION = "_src_path", "_commit"
MARKER = re.compile(rb"^(<{7}|>{7})( |\r?$)", re.MULTILINE)


def read(folder: Path) -> dict[str, Any]:
    """Read a project's answers; raises `Refusal` where they cannot be used."""
    import yaml

    path = folder / ANSWERS
    what = f"file {ANSWERS!r}"
    try:
        content = path.read_bytes()
    except OSError as error:
        why = f"it cannot be read ({error.strerror})"
        raise Refusal(what, why, "restore it from git: the template wrote it") from None
    if MARKER.search(content):
        raise Refusal(what, "it holds conflict markers", "resolve them and commit, then run again")
    try:
        answers = yaml.safe_load(content)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        why = f"it is not YAML ({' '.join(str(error).split())[:80]})"
        raise Refusal(what, why, "restore it from git") from None
    if not isinstance(answers, dict) or not all(isinstance(key, str) for key in answers):
        raise Refusal(what, "it holds no answers", "restore it from git")
    for key in (SOURCE, VERSION):
        if not isinstance(answers.get(key), str) or not answers[key].strip():
            why = f"it has no {key}, which names the template's {PURPOSE[key]}"
            raise Refusal(what, why, "restore it from git")
    chosen = answers.get("recipes", [])
    if not isinstance(chosen, list) or not all(isinstance(name, str) for name in chosen):
        raise Refusal(what, "its recipes are not a list of names", "restore it from git")
    return answers


PURPOSE = {SOURCE: "place", VERSION: "version"}


def given(answers: Mapping[str, Any]) -> dict[str, Any]:
    """Only what was answered, without where the template is."""
    return {key: value for key, value in answers.items() if not key.startswith("_")}


def record(folder: Path, source: str, version: str | None) -> None:
    """Write down where a rendered project's template is, and its version unless it stands there.

    The form is Copier's own, so that a later `copier update` changes no line without need.
    """
    import yaml

    path = folder / ANSWERS
    if not path.is_file():
        why = f"it writes no {ANSWERS}, without which there are no updates"
        raise Refusal(f"template {source!r}", why, "give a template made for mlmw")
    text = path.read_text(encoding="utf-8")
    comments = "".join(line for line in text.splitlines(keepends=True) if line.startswith("#"))
    answers = yaml.safe_load(text) | {SOURCE: source}
    if version is not None:
        answers[VERSION] = version
    body = yaml.dump(answers, indent=4, allow_unicode=True, default_flow_style=False)
    path.write_text(comments + body, encoding="utf-8", newline="\n")

"""Versions of a template as they render with a project's answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlmw import answers as answers_file
from mlmw import catalogue, source
from mlmw.answers import ANSWERS
from mlmw.errors import Refusal
from mlmw.project import Project


@dataclass(frozen=True)
class Renders:
    """Versions of the template, exported once each, and what they render."""

    template: source.Template
    work: Path
    name: str

    def root(self, commit: str) -> Path:
        """The unpacked template."""
        folder = self.work / f"template-{commit}"
        if not folder.exists():
            self.template.export(commit, folder)
        return folder

    def recipes(
        self, commit: str, stored: dict[str, Any], action: str, named: Sequence[str]
    ) -> list[str]:
        """The recipes that are wanted, in the order in which `mlmw new` writes them down."""
        chosen = list(stored.get("recipes", []))
        if action in ("update", "refresh"):
            return chosen
        known = catalogue.load_catalogue(self.root(commit))
        names = catalogue.choose(named, known)
        if action == "remove":
            return [name for name in chosen if name not in names]
        if set(names) <= set(chosen):
            return chosen
        return catalogue.choose([*chosen, *names], known)

    def render(self, commit: str, stored: dict[str, Any], place: str, version: str) -> Path:
        """Render a version with these answers into a folder of the project's own name."""
        from mlmw.render import render

        number = len(list(self.work.glob("render-*")))
        folder = self.work / f"render-{number}" / (self.name or "project")
        folder.parent.mkdir()
        given = answers_file.given(stored)
        what = f"template {version!r}"
        from copier.errors import CopierError
        from jinja2 import TemplateError

        try:
            result = render(self.root(commit), folder, given)
        except (CopierError, TemplateError) as error:
            why = f"it cannot be rendered ({' '.join(str(error).split())})"
            raise Refusal(what, why, "choose another version") from None
        except ValueError as error:
            why = f"it refuses an answer of {ANSWERS} ({' '.join(str(error).split())})"
            raise Refusal(what, why, "restore that file, or choose another version") from None
        except OSError as error:
            if error.errno is None:
                raise
            why = f"it cannot be rendered ({error.strerror})"
            raise Refusal(what, why, "nothing was changed") from None
        lost = set(given.get("recipes", [])) - set(result.get("recipes", []))
        if lost:
            why = f"it has no recipe {', '.join(map(repr, sorted(lost)))}"
            raise Refusal(what, why, "remove it first, or choose another version")
        answers_file.record(folder, place, version)
        return folder


def check_unedited(project: Project, base: Path) -> None:
    """Refuse answers that were edited by hand: the template's own mark of them tells."""
    stored, rendered = (_mark(folder / ANSWERS) for folder in (project.folder, base))
    if stored is not None and stored != rendered:
        why = "its answers were edited by hand"
        remedy = "restore it from git; recipes change with mlmw add and mlmw remove"
        raise Refusal(f"file {ANSWERS!r}", why, remedy)


def _mark(path: Path) -> str | None:
    lines = path.read_text(encoding="utf-8").splitlines()
    return next((line for line in lines if line.startswith("# Checksum:")), None)

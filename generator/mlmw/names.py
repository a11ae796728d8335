"""Names of Python packages: made from a project's name, and those that are taken."""

import re
from functools import cache

from mlmw.template import template_root

LONGEST_PACKAGE = 40


def package_from(project_name: str) -> str:
    """Derive a package name: ASCII, accents dropped (Köln: koln), all else as underscores.

    The result may be no valid package name (see `mlmw.checks`). copier.yml holds the same steps in
    Jinja, and a test holds the two against each other.
    """
    text = project_name.replace("ß", "ss").encode("ascii", "namereplace").decode()
    text = re.sub(r"\\N\{COMBINING [^}]*\}", "", text)
    letter = r"\\N\{LATIN (?:SMALL|CAPITAL) (?:LETTER|LIGATURE) (?:SHARP |DOTLESS )?([A-Z]+)[^}]*\}"
    text = re.sub(letter, r"\1", text)
    text = re.sub(r"\\(?:N\{[^}]*\}|x..|u....|U........)", "_", text)
    return re.sub("[^a-z0-9]+", "_", text.lower()).strip("_")


@cache
def reserved_names() -> frozenset[str]:
    """Names that would hide a module or a folder; copier.yml reads the same file."""
    path = template_root() / "generator" / "mlmw" / "reserved-names.yml"
    lines = path.read_text(encoding="utf-8").splitlines()
    return frozenset(name for line in lines if line.startswith("  ") for name in line.split())

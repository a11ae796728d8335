"""Checks of the answers given on the command line; each raises `Refusal` in one clear line.

copier.yml validates the same answers for those who use Copier alone.
"""

import re
import unicodedata

from mlmw.errors import Refusal, suggestion
from mlmw.names import LONGEST_PACKAGE, package_from, reserved_names

LICENCES = ("MIT", "Apache-2.0", "BSD-3-Clause", "none")
PYTHON_VERSIONS = ("3.11", "3.12", "3.13")
LONGEST_NAME = 60

# Control characters, halves of surrogate pairs (bytes that are no UTF-8), line and paragraph ends.
NOT_TEXT = {"Cc", "Cs", "Zl", "Zp"}


def single_line(what: str, value: str) -> str:
    """Return the text without surrounding blanks; refuse it if empty or not one line of text."""
    if any(unicodedata.category(character) in NOT_TEXT for character in value):
        raise Refusal(f"{what} {value!r}", "it is not one line of text", "give plain characters")
    if not value.strip():
        raise Refusal(f"{what} {value!r}", "it is empty", "give it a value")
    return value.strip()


def project_name(what: str, value: str) -> str:
    """Check a project's name; its package is checked apart."""
    value = single_line(what, value)
    if len(value) > LONGEST_NAME:
        why = f"it has {len(value)} characters, {LONGEST_NAME} are possible"
        raise Refusal(f"{what} {value!r}", why, "choose a shorter name")
    return value


def package(what: str, value: str, remedy: str) -> str:
    """Check a package name, given or derived."""
    if not re.fullmatch("[a-z][a-z0-9_]*", value, re.ASCII):
        why = "a package name starts with a letter and holds only a-z, 0-9 and _"
        raise Refusal(what, why, remedy, "choose a name that starts with a letter")
    if len(value) > LONGEST_PACKAGE:
        why = f"the package name {value!r} has {len(value)} characters"
        brief = f"choose a name of at most {LONGEST_PACKAGE} characters"
        raise Refusal(what, f"{why}, {LONGEST_PACKAGE} are possible", remedy, brief)
    if value in reserved_names():
        why = f"the package name {value!r} is taken by Python, the system or a dependency"
        raise Refusal(what, why, remedy, f"{value!r} is taken; choose another name")
    return value


def derived_package(what: str, name: str) -> str:
    """Check the package name that a project's name gives."""
    value = package_from(name)
    if not value:
        why = "it has no letter that a package name could be made of"
        remedy, brief = "choose another name or give --package", "choose a name with a letter a-z"
        raise Refusal(f"{what} {name!r}", why, remedy, brief)
    return package(f"{what} {name!r}", value, "choose another name or give --package")


def email(value: str, what: str | None = None) -> str:
    """Check that a value looks like an e-mail address."""
    value = single_line(what or "--email", value)
    if not re.fullmatch(r'[^@\s<>"]+@[^@\s<>"]+\.[^@\s<>"]+', value):
        why = "it is no e-mail address"
        raise Refusal(what or f"--email {value!r}", why, "write it like name@example.org")
    return value


def one_of(what: str, value: str, choices: tuple[str, ...]) -> str:
    """Check that a value is one of the choices."""
    if value not in choices:
        remedy = f"{suggestion(value, choices)}choose one of {', '.join(choices)}"
        raise Refusal(f"{what} {value!r}", "unknown value", remedy)
    return value

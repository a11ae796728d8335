"""What the command line shows instead of a traceback: one line and an exit code."""

from collections.abc import Iterable

CONFLICTS = 3  # exit code: done, but some places need a decision of the owner


class MlmwError(Exception):
    """Something went wrong while a project was being made; exit code 1.

    The message is one line: what it is about, why it failed, what to do next. `brief` is said below
    a prompt, where one sees what it is about and where 80 columns have to do.
    """

    exit_code = 1

    def __init__(self, what: str, why: str, remedy: str, brief: str | None = None) -> None:
        super().__init__(f"{what}: {why}; {remedy}")
        self.brief = brief or f"{why}; {remedy}"


class Refusal(MlmwError):
    """Bad input, noticed before anything was written; exit code 2."""

    exit_code = 2


def suggestion(given: str, known: Iterable[str]) -> str:
    """A question for the nearest of the known words, with a blank after it; empty where none is."""
    import difflib

    if not any(character.isalpha() for character in given):
        return ""  # a number is no misspelt word
    by_lower = {word.lower(): word for word in known}
    nearest = difflib.get_close_matches(given.lower(), by_lower, n=1, cutoff=0.5)
    return f"did you mean {by_lower[nearest[0]]!r}? " if nearest else ""

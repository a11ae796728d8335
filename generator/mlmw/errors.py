"""What the command line shows instead of a traceback: one line and an exit code."""

CONFLICTS = 3  # exit code: done, but some places need a decision of the owner


class MlmwError(Exception):
    """Something went wrong while a project was being made; exit code 1.

    The message is one line: what it is about, why it failed, what to do next.
    """

    exit_code = 1

    def __init__(self, what: str, why: str, remedy: str) -> None:
        super().__init__(f"{what}: {why}; {remedy}")


class Refusal(MlmwError):
    """Bad input, noticed before anything was written; exit code 2."""

    exit_code = 2

"""The one exception for what the user can mend."""


class UserError(Exception):
    """What is wrong, why, and what to do, in one line; the command line exits with code 2."""

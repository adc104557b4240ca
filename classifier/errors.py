"""The one exception a person may cause: it carries the line they are shown.

Raise `UserError` where a mistake in a file, option or environment is noticed; the command line prints
its text as a single line and exits with its code. Anything else that escapes is a bug and keeps its traceback.
"""


class UserError(Exception):
    """A mistake the user can mend: says what is wrong, where, and what to do.

    `exit_code` follows the command line's contract: 1 some inputs were bad, 2 usage or
    configuration, 3 refused by a gate.
    """

    def __init__(self, message: str, *, exit_code: int = 2) -> None:
        super().__init__(message)
        self.exit_code = exit_code

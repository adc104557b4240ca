"""One error out of a task group, not a group of one."""

import contextlib
from collections.abc import Iterator

from classifier.errors import UserError


@contextlib.contextmanager
def unwrapped() -> Iterator[None]:
    """Raise the first UserError of a group in its place."""
    try:
        yield
    except BaseExceptionGroup as group:
        mistakes = group.subgroup(UserError)
        while isinstance(mistakes, BaseExceptionGroup):
            mistakes = mistakes.exceptions[0]  # type: ignore[assignment]
        raise mistakes or group from None

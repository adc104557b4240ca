"""Only one fine-tuning run at a time in a state directory, whoever starts it: a person, the console or the timer."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from classifier.errors import UserError


class Busy(UserError):
    """Another run is at work."""


@contextmanager
def exclusive(state: Path) -> Iterator[None]:
    """Hold the lock of a state directory. Raises Busy when somebody else does, UserError when it cannot be written.

    The system releases it however a run ends, so nothing has to be cleaned up after a crash.
    """
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = (state / "finetune.lock").open("a")
    except OSError as error:
        raise UserError(f"cannot write to {state}: {error.strerror}; make it writable or change --state") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Busy(f"another fine-tuning run is at work in {state}; wait for it to end") from None
        yield

"""What a check found: fine, worth a look, or in the way of serving."""

from typing import Literal

import msgspec

Level = Literal["ok", "warn", "fail"]


class Finding(msgspec.Struct, frozen=True):
    """One answer. `fix` says what to do; empty where nothing is to be done."""

    check: str
    level: Level
    what: str
    fix: str = ""


def fine(check: str, what: str) -> Finding:
    """Nothing to do."""
    return Finding(check, "ok", what)


def warn(check: str, what: str, fix: str) -> Finding:
    """Serving works, but not as it should."""
    return Finding(check, "warn", what, fix)


def fail(check: str, what: str, fix: str) -> Finding:
    """Serving does not work, or not safely."""
    return Finding(check, "fail", what, fix)

"""When a worker gives its place to a fresh one: it is old, or holds much memory. Pure but for `held`.

Python and onnxruntime do not return all memory to the system, so that a worker grows a little with the variety of its
traffic; a fresh one is cheap, because it starts beside the old one and takes over without a lost connection.
"""

import contextlib
from pathlib import Path
from typing import Final, Literal

Cause = Literal["age", "memory"]

LEAST: Final = 600.0
"""Seconds that a worker serves before its memory counts: one that is large from the start must not be replaced for
ever."""


def due(age: float, memory: int, *, after: float, limit: int) -> Cause | None:
    """Why a worker of `age` seconds that holds `memory` bytes is replaced; `after` (s) or `limit` 0: not for that."""
    if after and age >= after:
        return "age"
    if limit and memory > limit and age >= LEAST:
        return "memory"
    return None


def held() -> int:
    """Bytes that this process alone holds (`RssAnon`, proc(5)): neither libraries nor files that it maps; 0: unknown.

    Reads a file in memory: microseconds.
    """
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/self/status").read_text("ascii", "replace").splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024
    return 0

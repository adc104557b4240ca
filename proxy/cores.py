"""How many workers `workers = "auto"` means: one for each processor that this process may use."""

import contextlib
import math
import os
from pathlib import Path
from typing import Final, Literal

_QUOTA: Final = Path("/sys/fs/cgroup/cpu.max")
"""Of a container (cgroup v2): microseconds of processor time in each period of so many, or `max`."""


def workers(wanted: int | Literal["auto"]) -> int:
    """The number of workers that is meant."""
    return wanted if wanted != "auto" else available()


def available(quota: Path = _QUOTA) -> int:
    """Processors that this process may use, as far as affinity and the quota of its container allow."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with contextlib.suppress(OSError, ValueError):
        time, period = quota.read_text("ascii").split()
        count = min(count, math.ceil(int(time) / int(period)))
    return max(1, count)

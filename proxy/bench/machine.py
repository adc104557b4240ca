"""What the benchmark needs of the machine: its name, its cores, and the processor time that a process has used.

Linux only in part: elsewhere nothing is pinned, and processor time is unknown.
"""

import contextlib
import os
import platform
from collections.abc import Collection, Iterator
from pathlib import Path


def describe() -> dict[str, str | int | float]:
    """What a reader must know to place the figures; `load` is the load average before they were taken."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count() or 0,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 2),
    }


def cores() -> tuple[set[int], set[int]]:
    """The core for servers, and those for load and origin; both empty where nothing can be pinned."""
    if not hasattr(os, "sched_getaffinity"):
        return set(), set()
    usable = sorted(os.sched_getaffinity(0))
    return ({usable[0]}, set(usable[1:])) if len(usable) > 1 else (set(), set())


@contextlib.contextmanager
def pinned(wanted: Collection[int]) -> Iterator[None]:
    """Processes started in the block run on `wanted` cores, with all their threads; no cores: anywhere."""
    if not wanted:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, wanted)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def cpu_seconds(pid: int) -> float:
    """Processor time that a process and its living children have used; NaN where it cannot be known.

    From utime and stime of `/proc/PID/stat` (proc(5)), whose unit is usually 10 ms.
    """
    tree = _tree(pid)
    ticks = [_ticks(one) for one in tree]
    return sum(ticks) / os.sysconf("SC_CLK_TCK") if tree else float("nan")


def _tree(pid: int) -> list[int]:
    """`pid` and what descends from it; empty where there is no such process."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        found.append(pid)
        for task in tasks:
            for child in (task / "children").read_text().split():
                found += _tree(int(child))
    return found


def _ticks(pid: int) -> int:
    try:
        # The name, in brackets, may itself hold blanks and brackets.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])


def _cpu() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()

"""Traffic over time: how many flows passed, were flagged and were blocked in each hour, from the captures.

A sealed file never changes, so it is counted once. Only three columns are read, in Arrow. Not for an event loop.
"""

import functools
import time
from collections import Counter
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from classifier.segments import batches
from proxy.console.traffic import Query, files

HOUR: Final = 3600
HOURS: Final = 24
FRESH: Final = 30.0
"""Seconds for which an answer stands: the page asks every few."""
WIDTH: Final = 720.0
HEIGHT: Final = 120.0
"""Of the chart, in its own units."""
_COLUMNS: Final = ("time", "action", "phase")
_KINDS: Final = ("allow", "flag", "block")


class Hour(msgspec.Struct, frozen=True, kw_only=True):
    """One hour; `start` is Unix seconds. A block counts whether or not it was enforced."""

    start: float
    allow: int = 0
    flag: int = 0
    block: int = 0


class Box(NamedTuple):
    """A part of a bar: what it counts and where it stands."""

    kind: str
    x: float
    y: float
    width: float
    height: float


class History:
    """The last day of one state's captures."""

    def __init__(self, captures: Path) -> None:
        self._captures = captures
        self._at, self._found = float("-inf"), list[Hour]()

    def hours(self, now: float | None = None) -> list[Hour]:
        """The last `HOURS` hours, the running one last; hours without traffic too."""
        if now is None and time.monotonic() - self._at < FRESH:
            return self._found
        end = int((time.time() if now is None else now) // HOUR)
        counts: Counter[tuple[int, str]] = Counter()
        for _, path in files(self._captures, Query(since=(end - HOURS + 1) * HOUR)):
            counts.update(_sealed(path) if path.suffix == ".parquet" else _counted(path))
        found = [
            Hour(start=hour * HOUR, **{kind: counts[hour, kind] for kind in _KINDS})
            for hour in range(end - HOURS + 1, end + 1)
        ]
        self._at, self._found = time.monotonic(), found
        return found


def boxes(hours: list[Hour]) -> list[Box]:
    """The bars of a chart: blocked at the bottom, where it is seen best, then flagged, then passed.

    Heights are by the square root of an hour's traffic, so that quiet hours can be seen beside busy ones; within a bar
    shares are true, but what is there at all is at least a hair high.
    """
    most = max((_all(hour) for hour in hours), default=0)
    step = WIDTH / max(1, len(hours))
    found = []
    for place, hour in enumerate(hours):
        total, y = _all(hour), HEIGHT
        whole = HEIGHT * (total / most) ** 0.5 if most else 0.0
        for kind in ("block", "flag", "allow"):
            count = getattr(hour, kind)
            height = min(y, max(2.0, whole * count / total)) if count else 0.0
            y -= height
            if count:
                found.append(Box(kind, round(place * step + 1, 2), round(y, 2), round(step - 2, 2), round(height, 2)))
    return found


def _all(hour: Hour) -> int:
    return hour.allow + hour.flag + hour.block


@functools.lru_cache(maxsize=4096)
def _sealed(path: Path) -> Counter[tuple[int, str]]:
    return _counted(path)


def _counted(path: Path) -> Counter[tuple[int, str]]:
    """Flows of a file by hour (Unix seconds / 3600) and action; bare connections that passed are not counted."""
    counts: Counter[tuple[int, str]] = Counter()
    try:
        for batch in batches(path, list(_COLUMNS)):
            bare = pc.and_(pc.equal(batch.column("phase"), "connect"), pc.equal(batch.column("action"), "allow"))
            kept = batch.filter(pc.fill_null(pc.invert(bare), False))
            hours = pc.cast(pc.floor(pc.divide(kept.column("time"), float(HOUR))), pa.int64())
            counts.update(zip(hours.to_pylist(), kept.column("action").to_pylist(), strict=True))
    except (OSError, pa.ArrowException, KeyError):
        pass
    return counts

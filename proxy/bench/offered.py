"""Flows offered to the queue at a rate, whether or not it keeps up: what waiting for a verdict adds to a flow.

Arrivals are random, at `rate` a second on average (Poisson): flows do not come in step. A wait lasts from the moment a
hook asks to the moment it goes on.
"""

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from classifier.batching import Batching
from classifier.features import Features
from classifier.records import Verdict
from classifier.scorer import Late, Overloaded
from proxy.bench.report import percentile

_STEP: Final = 0.0005
"""Seconds between looks at who has come."""


class Offered(msgspec.Struct, frozen=True):
    """What came of `rate` flows a second for `seconds`; the waits are of those that were `judged`."""

    rate: float
    seconds: float
    asked: int
    judged: int
    late: int
    refused: int
    p50_ms: float
    p99_ms: float


@dataclass
class _Tally:
    waits: list[float] = field(default_factory=list)
    late: int = 0
    refused: int = 0
    failed: int = 0

    def ask(self, queue: Batching, row: Features) -> None:
        started = time.perf_counter()
        try:
            future = queue.submit(row)
        except Overloaded:
            self.refused += 1
        else:
            future.add_done_callback(lambda done: self._told(done, started))

    def _told(self, done: "asyncio.Future[Verdict]", started: float) -> None:
        error = done.exception()
        if error is None:
            self.waits.append(time.perf_counter() - started)
        elif isinstance(error, Late):
            self.late += 1
        else:
            self.failed += 1

    @property
    def asked(self) -> int:
        return len(self.waits) + self.late + self.refused + self.failed


async def offer(queue: Batching, rows: Sequence[Features], rate: float, seconds: float, seed: int = 0) -> Offered:
    """Ask for verdicts on `rows`, in turns, for so long."""
    tally, sent, rng = _Tally(), 0, random.Random(seed)
    begun = time.perf_counter()
    due = rng.expovariate(rate)
    while due < seconds:
        now = time.perf_counter() - begun
        while due <= min(now, seconds):
            tally.ask(queue, rows[sent % len(rows)])
            sent += 1
            due += rng.expovariate(rate)
        await asyncio.sleep(_STEP)
    while tally.asked < sent:
        await asyncio.sleep(_STEP)
    waits = sorted(tally.waits) or [float("nan")]
    middle, high = (round(percentile(waits, share) * 1e3, 3) for share in (0.5, 0.99))
    return Offered(rate, seconds, sent, len(tally.waits), tally.late, tally.refused, middle, high)

"""What is looked after once a second: counters that others keep, and what the status page shows."""

import asyncio
from typing import Final

from classifier.store import CaptureWriter
from proxy.admin import Status
from proxy.judge import Judge
from proxy.metrics import Metrics

TICK: Final = 1.0


class Upkeep:
    """Carries the capture writer's counts into the metrics."""

    def __init__(self, captures: CaptureWriter, metrics: Metrics, status: Status, judge: Judge) -> None:
        self.captures, self.metrics, self.status, self.judge = captures, metrics, status, judge
        self._seen = (0, 0, 0)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(TICK)
            self.step()

    def step(self) -> None:
        """Once."""
        now = (self.captures.written, self.captures.dropped, self.captures.errors)
        counters = (self.metrics.capture_written, self.metrics.capture_dropped, self.metrics.capture_errors)
        for counter, count, before in zip(counters, now, self._seen, strict=True):
            counter.inc(max(0, count - before))
        self._seen = now
        self.metrics.capture_waiting.set(self.captures.waiting)
        model = self.judge.scorer.model
        self.status.release, self.status.provider = model.release, model.provider

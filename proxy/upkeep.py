"""What is looked after beside the traffic: others' counters, the status page, exceptions."""

import asyncio
import logging
from typing import Final

from classifier.scorer import Scorer
from classifier.store import CaptureWriter
from proxy.console.status import Status
from proxy.judge import Judge
from proxy.metrics import Metrics
from proxy.pins import Pins
from proxy.policy import Policy
from proxy.sentry import Side

log = logging.getLogger(__name__)

TICK: Final = 1.0


class Upkeep:
    """Carries counts into the metrics once a second, reviews exceptions after a change."""

    def __init__(
        self, captures: CaptureWriter, metrics: Metrics, status: Status, judge: Judge, pins: Pins | None = None
    ) -> None:
        self.captures, self.metrics, self.status, self.judge, self.pins = captures, metrics, status, judge, pins
        self._seen = (0, 0, 0)
        self._reviewed: Policy | None = None

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(TICK)
            self.step()
            try:
                await self.tend()
            except Exception:  # a full disk passes; the counters must go on
                log.exception("upkeep failed")
                self.metrics.journal_errors.inc()

    def step(self) -> None:
        """Once."""
        now = (self.captures.written, self.captures.dropped, self.captures.errors)
        counters = (self.metrics.capture_written, self.metrics.capture_dropped, self.metrics.capture_errors)
        for counter, count, before in zip(counters, now, self._seen, strict=True):
            counter.inc(max(0, count - before))
        self._seen = now
        self.metrics.capture_waiting.set(self.captures.waiting)
        if self.pins is not None:
            self.metrics.pinned.set(len(self.pins))
        model = self.judge.scorer.model
        self.status.release, self.status.provider = model.release, model.provider
        self.status.mode, self.status.cause = self.judge.policy.general

    async def tend(self) -> None:
        """What takes longer, in a thread, where it is due."""
        policy, trials = self.judge.policy, self.judge.trials
        if trials is not None:
            await asyncio.to_thread(trials.review, Side(self.judge.scorer.model, policy))
            if policy is not self._reviewed:
                trials.under()
        if policy is not self._reviewed:
            await asyncio.to_thread(self._review, policy)
            self._reviewed = policy

    def _review(self, policy: Policy) -> None:
        needs = self.judge.needs
        found = needs.review(Scorer(self.judge.scorer.model), policy)
        needs.settle(found, policy)
        self.metrics.unneeded.set(sum(not need.needed for need in found))

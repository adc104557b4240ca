"""Old events go, whoever wrote them: done once, by the supervisor, for all workers."""

import asyncio
import logging
import time
from typing import Final

from classifier.journal import Journal

log = logging.getLogger(__name__)

EVERY: Final = 600.0
"""Seconds between looks."""
EVENTS: Final = 200_000
"""Events that are kept at most; a scanner makes them faster than they grow old."""


def sweep(journal: Journal, max_age: float) -> int:
    """Delete events older than `max_age` seconds and all beyond `EVENTS`; how many. Not for an event loop."""
    gone = journal.prune(time.time() - max_age, EVENTS)
    if gone:
        log.info("%d old events are gone", gone)
    return gone


async def follow(journal: Journal, max_age: float) -> None:
    """Sweep now and then. Never returns."""
    while True:
        try:
            await asyncio.to_thread(sweep, journal, max_age)
        except Exception:  # a full disk passes
            log.exception("old events could not be removed")
        await asyncio.sleep(EVERY)

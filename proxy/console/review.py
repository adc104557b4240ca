"""The review queue on a page: what `classifier.review` ranks, kept fresh by `sluice review` beside the proxy."""

import asyncio
import logging
import time
from typing import Final

from classifier.errors import UserError
from classifier.journal import Journal
from proxy.console import tool
from proxy.console.status import Status

log = logging.getLogger(__name__)

STALE: Final = 600.0
"""Seconds after which somebody who looks at the queue has it ranked anew: that reads captures and asks the model."""


class Freshener:
    """Has the queue ranked anew, one at a time, when somebody looks at it."""

    def __init__(self, status: Status) -> None:
        self._status = status
        self._last = -STALE
        self._task: asyncio.Task[None] | None = None

    def poke(self) -> None:
        """Somebody looks at the queue. On the event loop; does not wait."""
        if time.monotonic() - self._last < STALE or not (self._status.state / "captures").is_dir():
            return
        self._last = time.monotonic()
        self._task = asyncio.get_running_loop().create_task(self._rank())

    async def _rank(self) -> None:
        named = ["--config", str(self._status.config)] if self._status.config else []
        try:
            done = await tool.run("review", "--json", "--limit", "1", "--state", str(self._status.state), *named)
        except (OSError, UserError) as error:
            log.warning("the review queue could not be ranked: %s", error)
        else:
            if done.code:
                log.warning("the review queue could not be ranked: %s", done.problem)


def named(journal: Journal, events: list[str]) -> dict[str, str]:
    """What events are called, by their ids; those that have no name are left out."""
    marks = ", ".join("?" * len(events))
    rows = journal.rows(f"select id, label from events where id in ({marks}) and label is not null", *events)
    return dict(rows)

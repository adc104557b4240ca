"""Follow a release channel: notice a new release, prove and warm it in a thread, swap it between two requests.

The order is Caddy's (caddy.go): start the new, change one reference, let the old go. A release that does not prove
itself is refused: the old one stays, a metric and a log line say why, and the same release is not tried again until
it is asked for (`force`) or the channel moves.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

from watchfiles import awatch

from classifier.artifact import Device, Model
from classifier.card import ModelRefused
from classifier.errors import UserError
from classifier.registry import Registry
from proxy.judge import Judge
from proxy.metrics import Metrics, Result
from proxy.policy import Policy

log = logging.getLogger(__name__)

POLL: Final = 2.0
"""Seconds between looks at the channel: network file systems send no events."""


class Reloader:
    """Keeps `judge` at the release that `channel` follows. `build` makes the policy over a model's card."""

    def __init__(
        self,
        registry: Registry,
        channel: str,
        device: Device,
        *,
        judge: Judge,
        metrics: Metrics,
        build: Callable[[Model], Policy],
    ) -> None:
        self.registry, self.channel, self.device = registry, channel, device
        self.judge, self.metrics, self.build = judge, metrics, build
        self._lock = asyncio.Lock()
        self._poked = asyncio.Event()
        self._forced = False
        self._refused = ""

    def poke(self) -> None:
        """Look at the channel soon, even at a release that was refused."""
        self._forced = True
        self._poked.set()

    async def follow(self, folder: Path) -> None:
        """Check the channel whenever `folder` changes, when poked, and every `POLL` seconds. Never returns."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch(folder))
            while True:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._poked.wait(), POLL)
                self._poked.clear()
                forced, self._forced = self._forced, False
                await self.check(force=forced)
                if self.judge.trials is not None:
                    await self.judge.trials.follow(self.judge.scorer.model.release)

    async def check(self, *, force: bool = False) -> tuple[Result | None, str]:
        """Bring the judge to the channel's release: what came of it (None: nothing to do) and a line about it."""
        async with self._lock:
            try:
                release = await asyncio.to_thread(self.registry.resolve, self.channel)
                if release == self.judge.scorer.model.release:
                    self._refused = ""
                    return None, f"{release} is serving"
                if release == self._refused and not force:
                    return None, f"{release} was refused"
                model = await asyncio.to_thread(self.registry.load, release, self.device)
                await asyncio.to_thread(self.judge.scorer.prepare, model)
            except UserError as error:
                return self._refuse(error, force)
            except Exception as error:
                log.exception("the channel %s could not be read", self.channel)
                self.metrics.swapped("failed")
                return "failed", type(error).__name__
            return self._swap(model)

    def _swap(self, model: Model) -> tuple[Result, str]:
        """On the loop, between two requests: model and thresholds change together."""
        policy = self.build(model)
        old = self.judge.scorer.swap(model)
        self.judge.policy = policy
        self._refused = ""
        self.metrics.swapped("ok")
        self.metrics.serving(model.release, model.provider)
        log.info("release %s replaces %s on %s", model.release, old.release, model.provider)
        return "ok", f"{model.release} replaces {old.release}"

    def _refuse(self, error: UserError, force: bool) -> tuple[Result | None, str]:
        text = str(error)
        if text == self._refused and not force:
            return None, text
        self._refused = self._wanted() if isinstance(error, ModelRefused) else text
        self.metrics.swapped("refused")
        log.warning("%s; release %s stays", text, self.judge.scorer.model.release)
        return "refused", text

    def _wanted(self) -> str:
        try:
            return self.registry.resolve(self.channel)
        except UserError:
            return ""

    async def _watch(self, folder: Path) -> None:
        try:
            async for _ in awatch(folder, debounce=100, step=50, rust_timeout=1000):
                self._poked.set()
        except (OSError, RuntimeError) as error:  # no inotify left: polling goes on
            log.warning("changes in %s are polled for: %s", folder, error)

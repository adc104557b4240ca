"""The policy of a running proxy: read again on request, checked as a whole, and swapped between two requests.

A file with a mistake changes nothing: the old policy stays, and the answer names the mistake. No connection is dropped.
What is built at start (`[proxy]`, `[model]`, `[capture]`) waits for a restart, and the answer says so.
"""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from classifier.artifact import Model
from classifier.errors import UserError
from proxy import budget
from proxy.addon import Filter
from proxy.config import FIXED, Settings, exceptions
from proxy.desk import Terms
from proxy.judge import Judge
from proxy.metrics import Result
from proxy.pins import Limits
from proxy.policy import Hosts, Policy

log = logging.getLogger(__name__)


def build(settings: Settings, state: Path, model: Model) -> Policy:
    """The policy over a model, with the exceptions that the console wrote into `state`. Raises UserError."""
    site = budget.in_force(state, settings, model.release)
    return settings.build_policy(model.card.operating_points, exceptions(state), site)


def terms(settings: Settings) -> Terms:
    """What readers of block pages may do."""
    table = settings.policy
    return Terms(table.continue_once, table.never_continue, table.contact)


def limits(settings: Settings) -> Limits:
    """When a server is taken for pinned."""
    table = settings.policy.pinned
    return Limits(table.failures, table.of, table.expires, table.limit)


class Live:
    """Keeps `judge` and `addon` under the settings that `source` reads; `state` is the state directory.

    `tell` is called with the settings whenever they have changed.
    """

    def __init__(
        self,
        settings: Settings,
        source: Callable[[], Settings],
        state: Path,
        judge: Judge,
        addon: Filter,
        tell: Callable[[Settings], None],
    ) -> None:
        self.settings, self.source, self.state = settings, source, state
        self.judge, self.addon, self.tell = judge, addon, tell
        self.poked = asyncio.Event()
        self._lock = asyncio.Lock()

    def build(self, model: Model) -> Policy:
        """The policy over a new model; an exceptions file that broke meanwhile leaves the exceptions as they are."""
        try:
            return build(self.settings, self.state, model)
        except UserError as error:
            log.warning("%s; the exceptions stay as they were", error)
            return self.settings.build_policy(model.card.operating_points, self.judge.policy.exemptions)

    async def follow(self) -> None:
        """Read the settings again whenever `poked` is set. Never returns."""
        while True:
            await self.poked.wait()
            self.poked.clear()
            await self.reload()

    async def apply(self) -> None:
        """Take up the exceptions that were made meanwhile. Raises UserError."""
        async with self._lock:
            model = self.judge.scorer.model
            self.judge.policy = await asyncio.to_thread(build, self.settings, self.state, model)

    async def reload(self) -> tuple[Result | None, str]:
        """Read the settings again: what came of it (None: nothing has changed) and a line about it."""
        async with self._lock:
            try:
                settings = await asyncio.to_thread(self.source)
                policy = await asyncio.to_thread(build, settings, self.state, self.judge.scorer.model)
            except UserError as error:
                log.warning("%s; the policy stays", error)
                self.judge.metrics.reloaded("refused")
                return "refused", str(error)
            except Exception as error:
                log.exception("the policy could not be read")
                self.judge.metrics.reloaded("failed")
                return "failed", type(error).__name__
            return self._swap(settings, policy)

    def _swap(self, settings: Settings, policy: Policy) -> tuple[Result | None, str]:
        """On the loop, between two requests: everything that a policy says changes together."""
        old, self.settings = self.settings, settings
        policy.retired = self.judge.policy.retired
        self.judge.policy = policy
        self.addon.plain = Hosts(settings.policy.do_not_decrypt)
        self.addon.pins.limits = limits(settings)
        self.addon.desk.terms = terms(settings)
        self.judge.metrics.under(settings.mode, settings.cause)
        self.tell(settings)
        waiting = [name for name in FIXED if getattr(settings, name) != getattr(old, name)]
        note = f"; [{'], ['.join(waiting)}] changed too and waits for a restart" if waiting else ""
        if settings.policy == old.policy and settings.mode == old.mode:
            return None, f"the policy has not changed{note}"
        self.judge.metrics.reloaded("ok")
        log.info("the policy was read again: %s by %s%s", settings.mode, settings.cause, note)
        return "ok", f"the policy was read again: {settings.mode} by {settings.cause}{note}"

"""Releases on trial beside the one that serves: followed like it, judging for some or for none, and sent home.

    channels/shadow   judges every flow too and decides nothing
    channels/canary   decides for a share of the clients (`[model] canary_percent`)

A canary is withdrawn when its clients fare worse than the others (`rollout.objection`), either of the two when it
misses a known attack that the release in service catches (`sentry`): that is looked at before a canary decides, again
every `LOOK` seconds, and whenever the policy or the release in service has changed.

A trial costs what scoring costs once more. One that cannot be loaded, or that fails on a flow, harms nobody.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from classifier.artifact import Device, Model
from classifier.errors import UserError
from classifier.features import Features
from classifier.journal import Journal
from classifier.records import FlowRecord
from classifier.registry import Registry
from classifier.scorer import Scorer
from classifier.sentinels import sentinels
from proxy import sentry
from proxy.metrics import Metrics
from proxy.policy import Decision, Policy
from proxy.rollout import Tally, chosen, objection
from proxy.sentry import Sentry, Side

log = logging.getLogger(__name__)

Channel = Literal["canary", "shadow"]
CHANNELS: Final[tuple[Channel, ...]] = ("canary", "shadow")
LOOK: Final = 600.0
"""Seconds between looks at a release that passed the last one: hardware and drivers change too."""


@dataclass
class Trial:
    """A release on trial under the policy of the moment; `own` and `rest` tally its clients and all others.

    `cleared`: it caught what the release of that id does under that policy, at `looked` (monotonic seconds).
    """

    scorer: Scorer
    policy: Policy
    own: Tally = field(default_factory=Tally)
    rest: Tally = field(default_factory=Tally)
    cleared: tuple[str, Policy] | None = None
    looked: float = 0.0

    @property
    def release(self) -> str:
        """Its id."""
        return self.scorer.model.release


class Trials:
    """What is on trial. `build` makes the policy over a model's card, `percent` is the canary's share of clients,
    `watched` are the attacks that must not be missed.
    """

    def __init__(
        self,
        registry: Registry,
        device: Device,
        metrics: Metrics,
        journal: Journal,
        build: Callable[[Model], Policy],
        percent: float,
        watched: Sequence[FlowRecord] | None = None,
    ) -> None:
        self.registry, self.device, self.metrics, self.journal = registry, device, metrics, journal
        self.build, self.percent = build, percent
        self.canary: Trial | None = None
        self.shadow: Trial | None = None
        self._sentry = Sentry(sentinels() if watched is None else watched)
        self._refused: dict[Channel, str] = {}

    def deciding(self, client: str) -> Trial | None:
        """The trial that decides for this client, if any: none before the sentinels have spoken for it."""
        trial = self.canary
        if trial is None or trial.cleared is None:
            return None
        return trial if chosen(client, trial.release, self.percent) else None

    def count(self, trial: Trial | None, decision: Decision, seconds: float, *, failed: bool) -> None:
        """Take down a flow that `trial`, or the release in service, decided while a canary is there."""
        if self.canary is None:
            return
        group: Literal["canary", "control"] = "control" if trial is None else "canary"
        (self.canary.rest if trial is None else self.canary.own).add(decision, seconds, failed)
        self.metrics.tried(group, decision.action)

    def compare(self, record: FlowRecord, features: Features, decision: Decision) -> None:
        """Let the shadow judge as well and count whether it agrees. Never raises."""
        if (trial := self.shadow) is None:
            return
        other: str = "failed"
        try:
            other = trial.policy.decide(record, trial.scorer.score(features)).action
        except Exception as error:
            log.warning("the shadow %s failed on a flow: %s", trial.release, type(error).__name__)
        self.metrics.shadowed(decision.action, other)

    async def follow(self, serving: str) -> None:
        """Bring both trials to what their channels follow; `serving` is the release in service, which needs none."""
        for channel in CHANNELS:
            try:
                release = await asyncio.to_thread(self.registry.followed, channel)
                await self._bring(channel, None if release == serving else release)
            except UserError as error:
                if str(error) != self._refused.get(channel):
                    log.warning("%s: %s; nothing is tried there", channel, error)
                    self._refused[channel] = str(error)
                self._set(channel, None)

    def under(self) -> None:
        """Put the trials under the policy of the moment, which has changed."""
        for trial in (self.canary, self.shadow):
            if trial is not None:
                trial.policy = self.build(trial.scorer.model)

    def review(self, serving: Side) -> None:
        """Send home what something speaks against; `serving` is the release in service. Reads and writes files."""
        for channel in CHANNELS:
            trial: Trial | None = getattr(self, channel)
            if trial is None:
                continue
            reason = objection(trial.own, trial.rest) or self._missed(trial, serving)
            if reason:
                self._send_home(channel, trial, reason)

    def _missed(self, trial: Trial, serving: Side) -> str:
        """What the sentinels have against a trial, where it is time to ask them."""
        compared = (serving.model.release, trial.policy)
        if trial.cleared == compared and time.monotonic() - trial.looked < LOOK:
            return ""
        reason = sentry.objection(self._sentry.missed(Side(trial.scorer.model, trial.policy), serving))
        if not reason:
            trial.cleared, trial.looked = compared, time.monotonic()
        return reason

    def _send_home(self, channel: Channel, trial: Trial, reason: str) -> None:
        self._set(channel, None)
        try:
            if self.registry.followed(channel) != trial.release:  # somebody moved it, or another worker was quicker
                return
            self.registry.withdraw(channel)
        except UserError as error:
            log.warning("%s %s could not be withdrawn: %s", channel, trial.release, error)
            return
        log.warning("%s %s is withdrawn: %s", channel, trial.release, reason)
        self.journal.audit(channel, f"{trial.release} withdrawn: {reason}")
        self.metrics.withdrawn.inc()

    async def _bring(self, channel: Channel, release: str | None) -> None:
        trial = getattr(self, channel)
        if release == (trial.release if trial else None):
            return
        model = None if release is None else await asyncio.to_thread(self.registry.load, release, self.device)
        self._set(channel, None if model is None else Trial(Scorer(model), self.build(model)))
        self._refused.pop(channel, None)
        log.info("%s: %s", channel, f"{release} is on trial" if release else "nothing is on trial")

    def _set(self, channel: Channel, trial: Trial | None) -> None:
        setattr(self, channel, trial)
        self.metrics.on_trial(channel, trial.release if trial else "")

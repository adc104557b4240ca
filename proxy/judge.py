"""One record judged: masked, scored, decided, counted, and written down where it must be explainable.

Runs inside a hook, on the event loop: a small model on a CPU answers faster than a queue would, a GPU's queue is waited
for. Nothing here raises: mitmproxy would swallow the exception and let the flow pass, so every failure becomes the
policy's decision instead.
"""

import logging
import sqlite3
import time
import traceback
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from classifier.features import Features, vectorize
from classifier.journal import Event, Journal
from classifier.masking import mask
from classifier.records import FlowRecord, Phase, Verdict
from classifier.scorer import BadScore, Late, Overloaded, Scorer
from proxy.drift import Drift
from proxy.metrics import Metrics
from proxy.needed import Needs
from proxy.policy import Cause, Decision, Failure, Policy
from proxy.trials import Trials
from proxy.verdicts import Verdicts

log = logging.getLogger(__name__)

CONTINUED: Final = "continue once"
"""Names, like a rule, that a user chose to continue."""


class Judgement(NamedTuple):
    """What came of one record. Without a verdict `features` may be None."""

    decision: Decision
    masked: FlowRecord
    verdict: Verdict | None
    features: Features | None
    release: str


class Judge:
    """Judges with one scorer under one policy; `policy` is replaced together with the model.

    `cache` verdicts are remembered (`proxy.verdicts`), none while a canary is tried: it is to be compared fairly.
    """

    def __init__(self, scorer: Scorer, policy: Policy, metrics: Metrics, journal: Journal, *, cache: int = 0) -> None:
        self.scorer, self.policy, self.metrics, self.journal = scorer, policy, metrics, journal
        self.verdicts = Verdicts(cache, metrics.remembered)
        self.needs = Needs(journal)
        self.trials: Trials | None = None
        self.drift: Drift | None = None
        self.permitted: Callable[[FlowRecord, Decision], str] = _nobody
        """The event whose block the client of a record was allowed to pass by (`proxy.desk`)."""

    def judge(
        self, observe: Callable[[], FlowRecord], phase: Phase, part: Cause | None = None, *, rehearsal: bool = False
    ) -> Judgement:
        """As `wait`, at once: for a scorer that is no queue."""
        try:
            self.wait(observe, phase, part, rehearsal=rehearsal).send(None)
        except StopIteration as done:
            judged: Judgement = done.value
            return judged
        raise RuntimeError("the scorer is a queue, and this is no place to wait for it")

    async def wait(
        self, observe: Callable[[], FlowRecord], phase: Phase, part: Cause | None = None, *, rehearsal: bool = False
    ) -> Judgement:
        """Judge what `observe` gives. `part` says why it is not the whole of the flow, if it is not.

        Model and policy are those of the moment this begins, whatever is swapped while a verdict is waited for.
        A `rehearsal` (`proxy.rehearsal`) is judged by the release in service as any flow is, and leaves no trace: it is
        not counted, tried on, written down or permitted.
        """
        record = masked = FlowRecord(phase=phase, time=time.time())
        verdict = features = None
        cause = part
        trial, seconds = None, 0.0
        release, policy = self.scorer.model.release, self.policy
        try:
            record = observe()
            if rehearsal:  # what is said of clients on this machine is not meant
                record = msgspec.structs.replace(record, client="")
            trial = self.trials.deciding(record.client) if self.trials and not rehearsal else None
            scorer = self.scorer if trial is None else trial.scorer
            release, policy = scorer.model.release, policy if trial is None else trial.policy
            started = time.perf_counter()
            masked = mask(record)
            features = vectorize(masked)
            remembers = not rehearsal and (self.trials is None or self.trials.canary is None)
            verdict = await (self.verdicts.verdict(scorer, features) if remembers else scorer.verdict(features))
            seconds = time.perf_counter() - started
            self.metrics.score_seconds.observe(seconds)
        except BadScore:
            cause = "nan"
        except Late:
            cause = "deadline"
        except Overloaded:
            cause = "overload"
        except Exception as error:
            log.error("a flow could not be judged: %s", where(error))
            cause = "exception"
        decision = self._decide(policy, record, verdict, cause)
        if rehearsal:
            return Judgement(decision, masked, verdict, features, release)
        if self.trials is not None:
            self.trials.count(trial, decision, seconds, failed=verdict is None)
            if features is not None:
                self.trials.compare(record, features, decision)
        if self.drift is not None and verdict is not None:
            self.drift.saw(masked.phase, verdict, features)
        decision = self._permit(record, decision)
        return Judgement(self._write(masked, decision, verdict, release), masked, verdict, features, release)

    def failed(self, cause: Cause, phase: Phase = "request") -> Decision:
        """The decision on a flow that nothing is known of, because the filter itself failed."""
        masked = FlowRecord(phase=phase, time=time.time())
        return self._write(masked, self.policy.fail(cause), None, self.scorer.model.release)

    def saw(self, event: str, seen: str) -> None:
        """Note what the user was shown for an event."""
        try:
            self.journal.saw(event, seen)
        except sqlite3.Error as error:
            log.error("an event could not be completed: %s", error)
            self.metrics.journal_errors.inc()

    def _permit(self, record: FlowRecord, decision: Decision) -> Decision:
        """Let pass what a user chose to continue to."""
        if not decision.blocks or not (event := self.permitted(record, decision)):
            return decision
        self.metrics.continued.inc()
        return decision._replace(action="allow", reason=f"continued after {event}: {decision.reason}", rule=CONTINUED)

    def _decide(self, policy: Policy, record: FlowRecord, verdict: Verdict | None, cause: Cause | None) -> Decision:
        if cause is not None:
            self.metrics.failed(cause)
        found = verdict if verdict is not None and cause is None else Failure(cause or "exception", verdict)
        try:
            return policy.decide(record, found)
        except Exception as error:
            log.error("the policy failed on a flow: %s", where(error))
            self.metrics.failed("exception")
            return policy.fail("exception")

    def _write(self, masked: FlowRecord, decision: Decision, verdict: Verdict | None, release: str) -> Decision:
        """Count the decision; what flags, blocks or passes by a user's choice is kept and has an event id."""
        if decision.action != "allow" or decision.rule == CONTINUED:
            decision = decision._replace(event=uuid.uuid4().hex)
            self._keep(masked, decision, verdict, release)
        elif decision.spared is not None:
            self._sample(masked, decision)
        self.metrics.decided(masked.phase, decision)
        return decision

    def _keep(self, masked: FlowRecord, decision: Decision, verdict: Verdict | None, release: str) -> None:
        try:
            self.journal.event(
                Event(
                    id=decision.event,
                    time=masked.time or time.time(),
                    record=masked,
                    verdict=verdict,
                    action=decision.action,
                    enforced=decision.enforced,
                    reason=decision.reason,
                    release=release,
                    rule=decision.rule,
                    label=decision.label,
                )
            )
        except Exception as error:  # a full disk must not open the filter: the decision stands, its record is lost
            log.error("an event could not be written: %s", error)
            self.metrics.journal_errors.inc()

    def _sample(self, masked: FlowRecord, decision: Decision) -> None:
        try:
            self.needs.take(masked, decision)
        except Exception as error:
            log.error("a sample of an exception could not be kept: %s", where(error))
            self.metrics.journal_errors.inc()


def _nobody(_: FlowRecord, __: Decision) -> str:
    return ""


def where(error: BaseException) -> str:
    """An error's kind and place; its text may hold parts of a flow, which do not belong in a log."""
    frames = traceback.extract_tb(error.__traceback__)
    last = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return type(error).__name__ + last

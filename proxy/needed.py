"""Which exceptions the serving release still needs.

When an exception spares a flow a flag or a block, the flow's masked record is kept as its sample (at most `SAMPLES`,
the latest). Whenever the release or the policy changes, every sample is judged again without its exception: if all
pass, the exception is reported as no longer needed, in the log, the audit trail and `sluice policy check`. One with
`retire = true` then no longer counts, until a release that needs it serves again.

An exception that has no sample spared nothing yet: of it nothing is said.
"""

import dataclasses
import hashlib
import logging
import time
from collections.abc import Callable
from typing import Final, NamedTuple

from msgspec.structs import replace

from classifier.features import vectorize
from classifier.journal import Journal
from classifier.masking import mask
from classifier.records import FlowRecord, from_json, to_json
from classifier.scorer import BadScore, Scorer
from proxy.policy import Decision, Exemption, Policy

log = logging.getLogger(__name__)

SAMPLES: Final = 8
ENOUGH: Final = 3
"""Samples that must pass before an exception retires by itself; to report it one is enough."""
PAUSE: Final = 60.0
"""Seconds between samples of an exception that has some: a busy path must not keep the disk busy."""
_SCHEMA: Final = (
    "create table if not exists samples (exception text not null, digest text not null, time real not null, "
    "record text not null, primary key (exception, digest))",
    "create table if not exists needs (exception text primary key, release text not null, needed integer not null, "
    "samples integer not null, time real not null)",
)


class Need(NamedTuple):
    """What a review found: `samples` flows were judged by `release` at `time` (Unix seconds)."""

    name: str
    release: str
    needed: bool
    samples: int
    time: float


class Needs:
    """Keeps samples and reviews them; every method may be called from any thread."""

    def __init__(self, journal: Journal, clock: Callable[[], float] = time.time) -> None:
        self._journal, self._clock = journal, clock
        self._taken: dict[str, tuple[int, float]] = {}
        for statement in _SCHEMA:
            journal.write(statement)

    def take(self, masked: FlowRecord, decision: Decision) -> None:
        """Keep a flow that an exception spared something, unless enough came lately."""
        if decision.spared in (None, "allow"):
            return
        now, name = self._clock(), decision.rule
        count, last = self._taken.get(name, (0, 0.0))
        if count >= SAMPLES and now - last < PAUSE:
            return
        self._taken[name] = count + 1, now
        sample = to_json(replace(masked, id="", client="", time=0.0)).decode()
        digest = hashlib.sha256(to_json(asked(masked))).hexdigest()  # its answer completes a request, no new sample
        self._journal.write("insert or replace into samples values (?,?,?,?)", name, digest, now, sample)
        self._journal.write(
            "delete from samples where exception = ? and digest not in "
            "(select digest from samples where exception = ? order by time desc limit ?)",
            name,
            name,
            SAMPLES,
        )

    def review(self, scorer: Scorer, policy: Policy) -> list[Need]:
        """Judge every exception's samples without it. Takes a model's time for each: not for an event loop."""
        found = []
        for exemption in policy.exemptions:
            passes = [self._passes(scorer, policy, exemption, record) for record in self._samples(exemption)]
            if passes:
                need = Need(exemption.name, scorer.model.release, not all(passes), len(passes), self._clock())
                found.append(need)
        return found

    def settle(self, found: list[Need], policy: Policy) -> None:
        """Write a review down, say what changed, and retire what asks for it."""
        for gone in {need.name for need in known(self._journal)} - {need.name for need in found}:
            self._journal.write("delete from needs where exception = ?", gone)
        for need in found:
            if self._changes(need):
                text = sentence(need)
                log.warning("%s", text)
                self._journal.audit("exception", text)
        done = {need.name for need in found if not need.needed and need.samples >= ENOUGH}
        self._forget(policy)
        policy.retired = frozenset(item.name for item in policy.exemptions if item.retires and item.name in done)

    def _changes(self, need: Need) -> bool:
        """Write a review of one exception down; whether it says something new, and no other worker has said it yet."""
        name, release, needed, samples, moment = need
        self._journal.write("insert or ignore into needs values (?,?,1,?,?)", name, release, samples, moment)
        changed = self._journal.write(
            "update needs set needed = ? where exception = ? and needed != ?", needed, name, needed
        )
        self._journal.write(
            "update needs set release = ?, samples = ?, time = ? where exception = ?", release, samples, moment, name
        )
        return changed > 0

    def _forget(self, policy: Policy) -> None:
        """Samples go with their exception: nobody asked to keep those flows for anything else."""
        names = [item.name for item in policy.exemptions]
        marks = ", ".join("?" * len(names))
        self._journal.write(f"delete from samples where exception not in ({marks})", *names)

    def _samples(self, exemption: Exemption) -> list[FlowRecord]:
        """Flows that the exception is still about, as it stands now."""
        rows = self._journal.rows("select record from samples where exception = ?", exemption.name)
        about = dataclasses.replace(exemption.match, labels=frozenset(), threat=0.0, clients=())
        records = [from_json(row[0]) for row in rows]
        return [record for record in records if about.fits(record, None, None, lenient=True)]

    def _passes(self, scorer: Scorer, policy: Policy, exemption: Exemption, record: FlowRecord) -> bool:
        """Whether a flow gets through without its exception: its request, and its answer where that is known."""
        stages = [asked(record), record] if record.phase == "response" else [record]
        for stage in stages:
            now = replace(stage, time=self._clock())
            try:
                verdict = scorer.score(vectorize(mask(now)))
            except BadScore:
                return False
            if policy.decide(now, verdict, without=exemption.name).action != "allow":
                return False
        return True


def asked(record: FlowRecord) -> FlowRecord:
    """A flow as it was before its answer, without who and when."""
    return replace(
        record,
        id="",
        client="",
        time=0.0,
        phase="request" if record.phase == "response" else record.phase,
        status=0,
        response_headers=(),
        response_body=b"",
        bytes_down=0,
        seconds=0.0,
    )


def known(journal: Journal) -> list[Need]:
    """What the last review of the running proxy found."""
    for statement in _SCHEMA:
        journal.write(statement)
    rows = journal.rows("select exception, release, needed, samples, time from needs order by exception")
    return [Need(name, release, bool(needed), samples, moment) for name, release, needed, samples, moment in rows]


def sentence(need: Need) -> str:
    """A review in words."""
    if need.needed:
        return f"exception {need.name!r} is needed: release {need.release} would stop or flag what it spares"
    return (
        f"exception {need.name!r} is no longer needed: release {need.release} lets its {need.samples} sampled "
        "flows pass without it"
    )

"""Counts how scores and embeddings fall, so that it shows when traffic moves away from what the release is used to.

Of a judged flow the score's bin is counted and, for a small even sample of each minute, the features are kept until the
minute is over. Then, in a thread beside the traffic, the sample's embeddings are had from the model once more, counted
along the release's directions (`classifier.basis`), and everything is added to `sluice.db`: the tables are the sum of
all workers, and so are the gauges, which are read from them.
"""

import asyncio
import logging
import math
import random
import sqlite3
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from classifier import drift, reference
from classifier.artifact import Floats, Model
from classifier.basis import SAMPLE, Basis, make
from classifier.errors import UserError
from classifier.features import Features
from classifier.journal import Journal
from classifier.records import Verdict
from classifier.registry import Registry
from classifier.scorer import BadScore, Scorer
from classifier.stability import SCORE_BINS, Counts, score_bin
from classifier.tallies import HOUR, SCORE, Tallies
from proxy.metrics import Metrics

log = logging.getLogger(__name__)

FLUSH: Final = 60.0
"""Seconds between additions to the tables."""
REVIEW: Final = 5
"""Flushes between looks at the whole."""
KEEP: Final = 14 * 86_400.0
"""Seconds that counts are kept at least, however short captures are: a small site's reference takes days."""
KEPT: Final = 32
"""Flows of a phase and a minute whose embeddings are counted."""

Key = tuple[str, str]
"""Release and phase."""


@dataclass
class Minute:
    """What one phase saw under one release since the last flush."""

    scores: list[int] = field(default_factory=lambda: [0] * SCORE_BINS)
    sample: list[Features] = field(default_factory=list)
    offered: int = 0

    def keep(self, features: Features) -> None:
        """Each of the minute's flows is in the sample with the same chance (Vitter 1985, algorithm R)."""
        self.offered += 1
        if self.offered <= KEPT:
            self.sample.append(features)
        elif (place := int(random.random() * self.offered)) < KEPT:
            self.sample[place] = features


class Drift:
    """Keeps the counts of one worker; hours older than `keep` seconds (or KEEP) go. `model` gives what judges."""

    def __init__(
        self, journal: Journal, registry: Registry, metrics: Metrics, model: Callable[[], Model], keep: float
    ) -> None:
        self.journal, self.registry, self.metrics, self.model = journal, registry, metrics, model
        self.keep = max(keep, KEEP)
        self._minutes: dict[Key, Minute] = {}
        self._early: defaultdict[Key, list[Floats]] = defaultdict(list)
        self._bases: dict[Key, Basis] = {}
        self._asked: set[str] = set()
        self._flushes = 0

    def saw(self, phase: str, verdict: Verdict, features: Features | None) -> None:
        """Count a judged record. Called for each, on the event loop."""
        key = (verdict.model, phase)
        minute = self._minutes.get(key)
        if minute is None:
            minute = self._minutes[key] = Minute()
        minute.scores[score_bin(verdict.threat)] += 1
        if features is not None:
            minute.keep(features)

    async def run(self) -> None:
        """Flush every `FLUSH` seconds, and once more when cancelled."""
        try:
            while True:
                await asyncio.to_thread(self.flush, self.take())
                await asyncio.sleep(FLUSH)
        finally:
            self.flush(self.take())

    def take(self) -> dict[Key, Minute]:
        """What was counted since the last time; on the event loop, where counting happens."""
        taken, self._minutes = self._minutes, {}
        return taken

    def flush(self, minutes: dict[Key, Minute]) -> None:
        """Add `minutes` to the tables and, now and then, bring references and gauges up to date. Never raises."""
        try:
            tallies, model = Tallies(self.journal), self.model()
            self._adopt(tallies, model.release)
            for (release, phase), minute in minutes.items():
                counts: dict[tuple[str, int], Counts] = {(phase, SCORE): np.array(minute.scores)}
                if release == model.release:
                    found = self._embeddings((release, phase), minute, model, tallies)
                    counts |= {(phase, axis): fallen for axis, fallen in found.items()}
                tallies.add(release, counts, int(time.time() // HOUR))
            if self._flushes % REVIEW == 0:
                self._review(tallies, model.release)
            self._flushes += 1
        except (sqlite3.Error, OSError) as error:
            log.error("drift could not be counted: %s", error)
            self.metrics.journal_errors.inc()
        except Exception:  # nothing that is only looked at may end the proxy
            log.exception("drift could not be counted")

    def _adopt(self, tallies: Tallies, release: str) -> None:
        """Take over what a release brings along, once."""
        if release in self._asked:
            return
        self._asked.add(release)
        try:
            folder = self.registry.path(release)
            if (folder / reference.REFERENCE).exists():
                reference.adopt(tallies, release, self.registry.read(release, reference.REFERENCE))
        except (UserError, ValueError) as error:
            log.warning("release %s is compared with its first traffic: %s", release, error)

    def _embeddings(self, key: Key, minute: Minute, model: Model, tallies: Tallies) -> dict[int, Counts]:
        """Counts by axis of the sample's embeddings; none while a basis is still being collected for."""
        rows = _embed(Scorer(model), minute.sample)
        basis = self._bases.get(key) or tallies.basis(*key)
        if basis is None:
            early = self._early[key]
            early += rows
            if len(early) < SAMPLE:
                return {}
            basis, rows = tallies.found(*key, make(np.array(early))), []
        self._early.pop(key, None)
        self._bases[key] = basis
        return reference.tally(basis, np.array(rows)) if rows else {}

    def _review(self, tallies: Tallies, release: str) -> None:
        drift.settle(self.journal, release)
        for figure in drift.summary(self.journal, release):
            self.metrics.drifted(figure.phase, figure.of, math.nan if figure.psi is None else figure.psi, figure.rows)
        tallies.prune(time.time() - self.keep)


def _embed(scorer: Scorer, sample: list[Features]) -> list[Floats]:
    found = []
    for features in sample:
        try:
            found.append(scorer.embed(features))
        except BadScore:  # counted as a failure where it was judged
            continue
    return found

"""Quality per source: each source gets its own figures, from a judgement of many.

A total hides what matters: one easy source with many rows makes any model look good. So every source is
reported by itself, with an interval. A source with attacks only is held against the harmless flows of its
family (the same sort of evidence: requests, URLs, bare names, …), one with harmless flows only against its
family's attacks. Rows that a system cannot judge (NaN) are left out of its figures.
"""

from collections import Counter
from typing import Final, NamedTuple

import msgspec
import numpy as np

from classifier.card import OperatingPoints
from classifier.evaluate import (
    Bools,
    Floats,
    Interval,
    auroc_interval,
    average_precision,
    ece,
    rate_bound,
    tpr_at_fpr,
)
from classifier.records import HARMLESS, Label
from classifier.thresholds import THREAT
from classifier.training.evaluation.measure import MODERN, TARGETS, Judgement, System
from classifier.training.evaluation.reliability import average_precision_at, ece_at

RATES: Final = ("0.01", "0.001", "0.0007")
"""False-positive rates at which the share of found attacks is given; the last is that of a published figure."""
NOMINAL: Final = ("0.01", "0.001", "0.0001")
"""False-positive rates that a release has thresholds for."""
ENOUGH: Final = 10
"""Fewer rows of a class than this in a source, and its family stands in for them."""
CLUSTERS: Final = 5
"""Fewer sources than this cannot be resampled: the interval would shrink to a point."""
WHOLE: Final = "*"
"""The name of all of a family's sources together."""

Bounds = tuple[float, float, float]
"""A value and the ends of its two-sided 95 % interval."""


class SourceReport(msgspec.Struct):
    """How well one system does on one source (or on all of a family, `source` then being `*`).

    `against` says whose rows the other class came from. `tpr` is by false-positive rate over the family's harmless
    rows, `modern` over harmless modern traffic alone. `flagged` is, by nominal rate, the share of the source's
    harmless rows that reach the release's own threshold, `transfer` that share as a multiple of the nominal rate,
    `found` the share of its attacks, and `balanced` the balanced accuracy at that threshold; all are empty for a
    system without thresholds. `labels` counts the hostile rows. `ap` is the average precision of the rows as they
    are, `ap_1` and `ece_1` are at 1 % threats (see `reliability`); `ece` is that of the likelier of two classes.
    """

    source: str
    family: str
    target: str
    positives: int
    negatives: int
    against: str
    auroc: Bounds | None
    tpr: dict[str, float]
    flagged: dict[str, float] = {}
    found: dict[str, float] = {}
    ece: float | None = None
    labels: dict[str, int] = {}
    ap: float | None = None
    ap_1: float | None = None
    ece_1: float | None = None
    balanced: dict[str, float] = {}
    transfer: dict[str, Bounds] = {}
    modern: dict[str, float] = {}


class Sides(NamedTuple):
    """What a source is judged on: its own rows of each class, and the rows that its area is taken over."""

    hostile: Bools
    benign: Bools
    positives: Bools
    negatives: Bools
    against: str


def reports(judgement: Judgement, system: System, seed: int = 0) -> list[SourceReport]:
    """Families (`source` is `*`) first, then sources, each for every target it has judged rows of."""
    columns = Columns(judgement, system)
    found = (columns.report(source, family, target, seed) for source, family in places(judgement) for target in TARGETS)
    return [report for report in found if report is not None]


def places(judgement: Judgement) -> list[tuple[str, str]]:
    """(source, family) of everything that is reported: whole families, then sources."""
    named = sorted(set(zip(judgement.sources, judgement.families, strict=True)))
    return [*((WHOLE, family) for family in sorted(set(judgement.families))), *named]


class Columns:
    """A judgement as arrays [N], for one system."""

    def __init__(self, judgement: Judgement, system: System) -> None:
        self.release = system.release
        self.scores = judgement.scores[system.name]
        self.source = np.asarray(judgement.sources, dtype=str)
        self.family = np.asarray(judgement.families, dtype=str)
        self.judged: Bools = np.isfinite(self.scores).all(axis=1)
        self.labels = np.asarray([str(label) for label in judgement.labels])
        self.benign: Bools = (self.labels == str(Label.BENIGN)) & self.judged
        threats = ~np.isin(self.labels, [str(label) for label in HARMLESS])
        named = {THREAT: threats, "scanner": self.labels == "scanner", "tracker": self.labels == "tracker"}
        self.hostile = {name: rows & self.judged for name, rows in named.items()}
        self.modern: Bools = self.benign & np.char.startswith(self.source, f"{MODERN}:")
        self.limits = {
            rate: np.asarray([limit(system.points, key, rate) for key in judgement.keys]) for rate in NOMINAL
        }

    def sides(self, source: str, family: str, target: str) -> Sides | None:
        """Who is held against whom; None where the source has nothing to say about the target."""
        inside = self.family == family
        chosen = inside if source == WHOLE else inside & (self.source == source)
        hostile, benign = self.hostile[target] & chosen, self.benign & chosen
        if not hostile.any() and (target != THREAT or not benign.any()):
            return None
        if benign.sum() >= ENOUGH and hostile.sum() >= ENOUGH:
            return Sides(hostile, benign, hostile, benign, "own")
        if hostile.sum() < benign.sum():
            return Sides(hostile, benign, self.hostile[target] & inside, benign, "family")
        return Sides(hostile, benign, hostile, self.benign & inside, "family")

    def report(self, source: str, family: str, target: str, seed: int) -> SourceReport | None:
        """One report, or None where the source has nothing to say about the target."""
        sides = self.sides(source, family, target)
        if sides is None:
            return None
        score = self.scores[:, TARGETS.index(target)]
        area = self._area(score, sides, seed)
        found = SourceReport(
            source=source,
            family=family,
            target=target,
            positives=int(sides.hostile.sum()),
            negatives=int(sides.benign.sum()),
            against=sides.against if area else "",
            auroc=bounds(area) if area else None,
            tpr=_tpr(score[self.benign & (self.family == family)], score[sides.hostile]),
            labels=dict(Counter(self.labels[sides.hostile].tolist())),
        )
        if area:
            self._ranked(found, score, sides)
        if target == THREAT:
            self._served(found, score, sides)
        return found

    def clusters(self, sides: Sides) -> np.ndarray | None:
        """Names of the rows' sources where there are enough to be resampled whole: rows of one source are no
        independent evidence."""
        count = min(len(np.unique(self.source[side])) for side in (sides.negatives, sides.positives))
        return self.source[sides.negatives | sides.positives] if count >= CLUSTERS else None

    def _area(self, score: Floats, sides: Sides, seed: int) -> Interval | None:
        if not sides.negatives.any() or not sides.positives.any():
            return None
        rows = sides.negatives | sides.positives
        return auroc_interval(sides.positives[rows], score[rows], clusters=self.clusters(sides), seed=seed)

    def _ranked(self, report: SourceReport, score: Floats, sides: Sides) -> None:
        """Figures that need both classes."""
        rows = sides.negatives | sides.positives
        hostile = sides.positives[rows]
        report.ap = round(average_precision(hostile, score[rows]), 5)
        report.ap_1 = round(average_precision_at(hostile, score[rows]), 5)
        if report.target == THREAT:
            report.ece_1 = round(ece_at(hostile, score[rows]), 5)

    def _served(self, report: SourceReport, score: Floats, sides: Sides) -> None:
        """Figures of the threat at the release's own thresholds."""
        report.flagged = self._reached(score, sides.benign)
        report.found = self._reached(score, sides.hostile)
        report.ece = _ece(score, sides.hostile, sides.benign)
        if self.release:  # another system's threshold was set for no rate
            report.transfer = {rate: self._factor(score, sides.benign, rate) for rate in report.flagged}
        wrong, right = self._reached(score, sides.negatives), self._reached(score, sides.positives)
        report.balanced = {
            rate: round((right[rate] + 1 - wrong[rate]) / 2, 5) for rate in NOMINAL if rate in wrong and rate in right
        }
        if report.family == "http" and self.modern.any():
            report.modern = _tpr(score[self.modern], score[sides.hostile])

    def _reached(self, score: Floats, rows: Bools) -> dict[str, float]:
        """Share of `rows` at or above the release's own thresholds, over those that have one."""
        shares = {}
        for rate, limits in self.limits.items():
            known = rows & np.isfinite(limits)
            if known.any():
                shares[rate] = round(float((score[known] >= limits[known]).mean()), 6)
        return shares

    def _factor(self, score: Floats, benign: Bools, rate: str) -> Bounds:
        """The share of `benign` that reaches the threshold over the share that it was set for (Clopper-Pearson)."""
        known = benign & np.isfinite(self.limits[rate])
        count, size = int((score[known] >= self.limits[rate][known]).sum()), int(known.sum())
        low, high = 1 - rate_bound(size - count, size, 0.975), rate_bound(count, size, 0.975)
        first, second, third = (round(share / float(rate), 3) for share in (count / size, max(0.0, low), high))
        return first, second, third


def limit(points: OperatingPoints, key: str, rate: str) -> float:
    """The threat threshold of a kind and phase at a nominal rate; NaN where there is none."""
    point = points.get(key, {}).get(THREAT, {}).get(rate)
    return point.threshold if point else float("nan")


def bounds(interval: Interval) -> Bounds:
    """An interval with five decimals."""
    return round(interval.value, 5), round(interval.low, 5), round(interval.high, 5)


def _tpr(benign: Floats, hostile: Floats) -> dict[str, float]:
    return (
        {rate: round(tpr_at_fpr(benign, hostile, float(rate)), 5) for rate in RATES}
        if len(benign) and len(hostile)
        else {}
    )


def _ece(score: Floats, hostile: Bools, benign: Bools) -> float:
    rows = hostile | benign
    return round(ece(np.stack([1 - score[rows], score[rows]], axis=1), hostile[rows].astype(int)), 5)

"""The gates: may this candidate replace the incumbent? Pure; every gate is a function of judged rows.

A gate compares candidate and incumbent on the same rows and gives a value with its 95 % interval and the limit
that it was held against. Where there are too few rows to tell, it passes, says so, and names the number of flows
still needed: an administrator with three labels must not be refused for want of three hundred.
The reported false positives and the sentinels are exempt from that mercy.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil, comb, log
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from classifier.records import Label

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

REPORTED: Final = 0.9
"""Share of the reported false positives that must pass now; of fewer than ten all of them."""
MISSED: Final = 0.5
"""Share of the reported missed attacks that must be flagged now: an odd one may be beyond reach."""
BASE_AUROC: Final = 0.01
BASE_FLAGGED: Final = 0.02
BASE_BLOCKED: Final = 0.05
BASE_ALARMS: Final = 0.01
"""Largest losses on base traffic, held against the upper end of the interval. The block point lies where scores
crowd: there one row in ten changes sides between two equally good models.
"""
SITE_DETECTION: Final = 0.05
REPORTED_DETECTION: Final = 0.1
"""Largest losses of flagged attacks: in the site's ordinary requests, and in reported ones against ordinary ones."""
SITE_AUROC: Final = 0.02
"""Largest loss of site quality for a candidate that mends reported false positives."""
FLAGGED, BLOCKED = 0.01, 0.0001
"""Budgets of false positives: the rates whose points flag and block."""
LATENCY: Final = 1.3
INFLUENCE: Final = 0.5
FAMILY: Final = 600
"""Rows from which a label's detection is judged by itself."""
ENOUGH: Final = 30
"""Rows of each class from which an area under the curve is worth an interval."""
_RESAMPLES: Final = 400
_CONFIDENCE: Final = 0.95


class Gate(msgspec.Struct, frozen=True):
    """One judgement. `low` and `high` bound `value`; `needed` is how many more flows a firm answer takes."""

    name: str
    passed: bool
    value: float
    low: float
    high: float
    limit: float
    note: str = ""
    needed: int = 0


@dataclass(frozen=True)
class Judged:
    """N rows as incumbent and candidate see them, each under its own thresholds.

    `hostile` bool [N], `labels` and `groups` of length N (rows of a group are near-duplicates), threats float [N],
    ranks int [N]: 0 allowed, 1 flagged, 2 blocked.
    """

    hostile: Bools
    labels: Sequence[Label]
    groups: Sequence[str]
    threat_before: Floats
    threat_after: Floats
    rank_before: Ints
    rank_after: Ints

    def take(self, chosen: Bools) -> "Judged":
        """The rows where `chosen` [N] holds."""
        index = np.flatnonzero(chosen)
        rows = index.tolist()
        return Judged(
            self.hostile[index],
            [self.labels[i] for i in rows],
            [self.groups[i] for i in rows],
            self.threat_before[index],
            self.threat_after[index],
            self.rank_before[index],
            self.rank_after[index],
        )


def reported(rows: Judged) -> Iterator[Gate]:
    """Labelled rows that the incumbent gets wrong must come out right: `reported` alarms and `missed` attacks."""
    alarms = rows.take(~rows.hostile & (rows.rank_before > 0))
    if len(alarms.labels):
        yield _share("reported", alarms.rank_after == 0, REPORTED if len(alarms.labels) >= 10 else 1.0)
    missed = rows.take(rows.hostile & (rows.rank_before == 0))
    if len(missed.labels):
        yield _share("missed", missed.rank_after > 0, MISSED)


def site_quality(rows: Judged, *, mends: bool, seed: int = 0) -> Gate:
    """Area under the curve on held-out site rows: better, or, where reported errors are mended, no worse by much.

    The area does not depend on a threshold, so the incumbent is compared as if it were re-thresholded.
    """
    fewest = min(int(rows.hostile.sum()), int((~rows.hostile).sum()))
    if fewest < ENOUGH:
        return _scarce("site_quality", ENOUGH - fewest, "held-out site flows, harmless or hostile")
    value, low, high = _resampled(rows, _gain, seed)
    limit = -SITE_AUROC if mends else 0.0
    if mends and value - low > SITE_AUROC:  # as in `_kept`: not even an unchanged model could show it
        needed = _missing(len(rows.labels), (value - low) / SITE_AUROC)
        return Gate("site_quality", value > limit, value, low, high, limit, f"firm with {needed} more flows", needed)
    return Gate("site_quality", low > limit, value, low, high, limit)


def site_detection(rows: Judged, reported: Bools, *, seed: int = 0) -> Iterator[Gate]:
    """Attacks grafted into the site's own requests; `reported` [N] are those in requests that were false positives.

    In ordinary requests what the incumbent flags must still be flagged. In reported ones the incumbent flagged
    everything, attacks by accident among them; there the candidate must not do much worse than in ordinary ones.
    """
    what = "attacks in site requests"
    ordinary = rows.take(rows.hostile & ~reported)
    yield _kept("site_detection", ordinary, _lost(1), SITE_DETECTION, seed, what)
    there = rows.take(rows.hostile & reported).rank_after > 0
    if len(there) == 0:
        return
    if min(len(there), len(ordinary.labels)) < ENOUGH:
        yield _scarce("reported_detection", ENOUGH - min(len(there), len(ordinary.labels)), what)
        return
    elsewhere = ordinary.rank_after > 0
    value = float(elsewhere.mean() - there.mean())
    spread = 1.645 * float(elsewhere.var() / len(elsewhere) + there.var() / len(there)) ** 0.5
    low, high = value - spread, value + spread
    yield Gate("reported_detection", low <= REPORTED_DETECTION, value, low, high, REPORTED_DETECTION)


def site_alarms(rows: Judged) -> Iterator[Gate]:
    """False positives on held-out harmless site rows: within budget, or no more than the incumbent's."""
    harmless = rows.take(~rows.hostile)
    for name, rank, budget in (("site_flagged", 1, FLAGGED), ("site_blocked", 2, BLOCKED)):
        before, after = harmless.rank_before >= rank, harmless.rank_after >= rank
        count, wrong = len(after), int(after.sum())
        if count == 0:
            yield _scarce(name, supports(budget), "harmless site flows")
            continue
        low, high = interval(wrong, count)
        gained, lost = int((after & ~before).sum()), int((before & ~after).sum())
        # A new block stops somebody's work, so chance is no excuse there.
        worse = gained > lost if rank == 2 else _worse(gained, lost)
        needed = max(0, supports(budget) - count)
        note = f"too few flows for the budget of {budget:g}; not worse than the incumbent" if needed else ""
        yield Gate(name, high <= budget or not worse, wrong / count, low, high, budget, note, needed)


def base_quality(rows: Judged, *, seed: int = 0) -> Iterator[Gate]:
    """What the incumbent could do elsewhere must be kept: area, detection at the deployed points, false positives."""
    yield _kept("base_auroc", rows, lambda rows, weight: -_gain(rows, weight), BASE_AUROC, seed)
    hostile = rows.take(rows.hostile)
    for name, rank, limit in (("base_flagged", 1, BASE_FLAGGED), ("base_blocked", 2, BASE_BLOCKED)):
        yield _kept(name, hostile, _lost(rank), limit, seed)
    for label in sorted(set(hostile.labels)):
        family = hostile.take(np.array([each == label for each in hostile.labels]))
        if len(family.labels) >= FAMILY:
            yield _kept(f"base_flagged_{label}", family, _lost(1), BASE_FLAGGED, seed)
    harmless = rows.take(~rows.hostile)
    yield _kept("base_alarms", harmless, lambda rows, weight: -_lost(1)(rows, weight), BASE_ALARMS, seed)


def sentinels(rank_before: Ints, rank_after: Ints) -> Gate:
    """Every sentinel attack that the incumbent catches must be caught."""
    caught = rank_after[rank_before > 0] > 0
    beyond = int((rank_before == 0).sum())
    note = f"{beyond} of {len(rank_before)} are missed by the incumbent too and do not count" if beyond else ""
    if len(caught) == 0:
        return Gate("sentinels", True, 1.0, 0.0, 1.0, 1.0, note)
    return msgspec.structs.replace(_share("sentinels", caught, 1.0), note=note)


def latency(before: Floats, after: Floats) -> Gate:
    """Seconds a record, interleaved runs [R] of each; the quickest are compared, the rest is the machine's noise."""
    value = float(np.min(after) / np.min(before))
    ratios = np.sort(after / before)
    low, high = float(min(ratios[0], value)), float(max(ratios[-1], value))
    return Gate("latency", value <= LATENCY, value, low, high, LATENCY)


def influence(share: float, clients: int, judged: int) -> Gate:
    """The largest share of the training weight that one client holds; judged from `judged` clients on."""
    if clients < judged:
        return _scarce("influence", judged - clients, "clients")
    return Gate("influence", share <= INFLUENCE + 1e-6, share, share, share, INFLUENCE)


def supports(rate: float) -> int:
    """Harmless flows without one alarm that prove a false-positive rate of at most `rate` with 95 % confidence."""
    return ceil(log(1.0 - _CONFIDENCE) / log(1.0 - rate))


def interval(hits: int, count: int) -> tuple[float, float]:
    """Wilson's score interval of a share (Wilson 1927), each end one-sided at 95 %."""
    z, share = 1.645, hits / count
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * ((share * (1 - share) + z * z / (4 * count)) / count) ** 0.5
    return max(0.0, middle - half), min(1.0, middle + half)


def area(hostile: Bools, threat: Floats, weight: Floats) -> float:
    """Area under the ROC curve with row weights, ties counted half; 0.5 when a class is empty."""
    _, place = np.unique(threat, return_inverse=True)
    positive = np.bincount(place, weight * hostile)
    negative = np.bincount(place, weight * ~hostile, minlength=len(positive))
    total = positive.sum() * negative.sum()
    return float((positive * (np.cumsum(negative) - negative / 2)).sum() / total) if total > 0 else 0.5


Statistic = Callable[[Judged, Floats], float]


def _gain(rows: Judged, weight: Floats) -> float:
    return area(rows.hostile, rows.threat_after, weight) - area(rows.hostile, rows.threat_before, weight)


def _lost(rank: int) -> Statistic:
    """Share of rows that reach `rank` under the incumbent minus the share that does under the candidate."""

    def lost(rows: Judged, weight: Floats) -> float:
        change = (rows.rank_before >= rank).astype(float) - (rows.rank_after >= rank)
        return float((weight * change).sum() / max(weight.sum(), 1e-9))

    return lost


def _kept(name: str, rows: Judged, loss: Statistic, limit: float, seed: int, what: str = "base rows") -> Gate:
    """Non-inferiority: the upper end of the loss must stay within the limit.

    Where the interval is wider than the limit, not even an unchanged model could show that; then a loss beyond the
    limit refuses only when it is no chance, and the gate says how many rows an answer takes.
    """
    count = len(rows.labels)
    if count < ENOUGH:
        return _scarce(name, ENOUGH - count, what)
    value, low, high = _resampled(rows, loss, seed)
    if high - value <= limit:
        return Gate(name, high <= limit, value, low, high, limit)
    needed = _missing(count, (high - value) / limit)
    passed = value <= limit or low <= 0.0
    return Gate(name, passed, value, low, high, limit, f"firm with {needed} more {what}", needed)


def _missing(count: int, excess: float) -> int:
    """How many more rows make an interval narrower by `excess`: its width falls with the root of their number."""
    return ceil(count * excess**2) - count


def _resampled(rows: Judged, statistic: Statistic, seed: int) -> tuple[float, float, float]:
    """The statistic and its 90 % interval (each end one-sided at 95 %) by a bootstrap over groups (Efron 1979)."""
    rng = np.random.default_rng(seed)
    names, place = np.unique(np.array(rows.groups), return_inverse=True)
    draws = []
    for _ in range(_RESAMPLES):
        times = np.bincount(rng.integers(0, len(names), len(names)), minlength=len(names))
        draws.append(statistic(rows, times[place].astype(np.float64)))
    low, high = np.quantile(draws, (1.0 - _CONFIDENCE, _CONFIDENCE))
    return statistic(rows, np.ones(len(place))), float(low), float(high)


def _share(name: str, right: Bools, limit: float) -> Gate:
    value = float(right.mean())
    low, high = interval(int(right.sum()), len(right))
    return Gate(name, value >= limit, value, low, high, limit, f"{int(right.sum())} of {len(right)}")


def _worse(gained: int, lost: int) -> bool:
    """McNemar's exact test, one-sided: more rows became alarms than ceased to be, and not by chance."""
    pairs = gained + lost
    tail = sum(comb(pairs, k) for k in range(gained, pairs + 1)) / 2**pairs
    return gained > lost and tail < 1.0 - _CONFIDENCE


def _scarce(name: str, needed: int, what: str) -> Gate:
    return Gate(name, True, 0.0, 0.0, 0.0, 0.0, f"not enough data: {needed} more {what} needed", needed)

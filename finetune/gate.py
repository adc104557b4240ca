"""One judgement, the rows that it is about, and the three ways to judge: a share, a loss, too little to tell. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from classifier.records import Label
from finetune.statistics import Bools, Floats, area, interval, missing, resampled

Ints = npt.NDArray[np.int64]

ENOUGH: Final = 30
"""Rows of each class from which an area under the curve is worth an interval."""


class Gate(msgspec.Struct, frozen=True):
    """One judgement. `low` and `high` bound `value`; `needed` is how many more flows a firm answer takes.

    `said` is the judgement in a sentence, `p` that of a test of both models on the same rows, where there is one.
    """

    name: str
    passed: bool
    value: float
    low: float
    high: float
    limit: float
    note: str = ""
    needed: int = 0
    said: str = ""
    p: float | None = None


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


Loss = Callable[[Judged, Floats], float]
"""A loss of some rows under weights [N] of them: above 0 where the candidate does worse."""
Saying = Callable[[int, int, int], str]
"""A sentence from the rows that count before, those that count after, and all rows."""


def share(name: str, right: Bools, limit: float, said: Callable[[int, int, float], str]) -> Gate:
    """At least `limit` of the rows must be right; `said` makes a sentence of how many are, all, and the limit."""
    value, hits, count = float(right.mean()), int(right.sum()), len(right)
    low, high = interval(hits, count)
    return Gate(name, value >= limit, value, low, high, limit, f"{hits} of {count}", said=said(hits, count, limit))


def kept(
    name: str,
    rows: Judged,
    loss: Loss,
    limit: float,
    seed: int,
    what: str = "base rows",
    said: str = "",
    firm: int = 0,
) -> Gate:
    """Non-inferiority: the upper end of the loss must stay within the limit.

    Where the interval is wider than the limit, or there are fewer than `firm` rows, not even an unchanged model could
    show that; then a loss beyond the limit refuses only when it is no chance, and the gate says how many rows an answer
    takes.
    """
    count = len(rows.labels)
    if count < ENOUGH:
        return scarce(name, ENOUGH - count, what)
    value, low, high = resampled(rows.groups, lambda weight: loss(rows, weight), seed)
    gate = Gate(name, high <= limit, value, low, high, limit, said=said)
    if high - value <= limit and count >= firm:
        return gate
    excess = max((high - value) / limit, (firm / count) ** 0.5)
    return unsure(gate, value <= limit or low <= 0.0, excess, count, what)


def unsure(gate: Gate, passed: bool, excess: float, count: int, what: str) -> Gate:
    """The gate as far as `count` rows can tell, whose interval is `excess` times as wide as the limit."""
    needed = missing(count, excess)
    return msgspec.structs.replace(gate, passed=passed, note=f"firm with {needed:,} more {what}", needed=needed)


def scarce(name: str, needed: int, what: str) -> Gate:
    """Too little to tell anything."""
    note = f"not enough data: {needed:,} more {what} needed"
    return Gate(name, True, 0.0, 0.0, 0.0, 0.0, note, needed, f"Not judged: {needed:,} more {what} are needed.")


def gain(rows: Judged, weight: Floats) -> float:
    """By how much the area under the curve grows."""
    return area(rows.hostile, rows.threat_after, weight) - area(rows.hostile, rows.threat_before, weight)


def fallen(rank: int) -> Loss:
    """Share of rows that reach `rank` under the incumbent minus the share that does under the candidate."""

    def lost(rows: Judged, weight: Floats) -> float:
        change = (rows.rank_before >= rank).astype(float) - (rows.rank_after >= rank)
        return float((weight * change).sum() / max(weight.sum(), 1e-9))

    return lost

"""The numbers behind the gates: areas, rates at a fixed detection, exact intervals, a bootstrap over groups. Pure."""

from collections.abc import Callable, Sequence
from math import ceil, comb, log
from typing import Final

import numpy as np
import numpy.typing as npt

from classifier.evaluate import CONFIDENCE, rate_bound

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

RESAMPLES: Final = 400


def supports(rate: float) -> int:
    """Harmless flows without one alarm that prove a false-positive rate of at most `rate` with 95 % confidence."""
    return ceil(log(1.0 - CONFIDENCE) / log(1.0 - rate))


def interval(hits: int, count: int) -> tuple[float, float]:
    """The exact interval of a share (Clopper & Pearson 1934), each end one-sided at 95 %."""
    return (1.0 - rate_bound(count - hits, count) if hits else 0.0), rate_bound(hits, count)


def mcnemar(gained: int, lost: int) -> float:
    """The chance of at least `gained` of the changed rows, were either direction as likely (McNemar 1947, exact)."""
    pairs = gained + lost
    return float(sum(comb(pairs, k) for k in range(gained, pairs + 1)) / 2**pairs)


def area(hostile: Bools, threat: Floats, weight: Floats) -> float:
    """Area under the ROC curve with row weights, ties counted half; 0.5 when a class is empty."""
    _, place = np.unique(threat, return_inverse=True)
    positive = np.bincount(place, weight * hostile)
    negative = np.bincount(place, weight * ~hostile, minlength=len(positive))
    total = positive.sum() * negative.sum()
    return float((positive * (np.cumsum(negative) - negative / 2)).sum() / total) if total > 0 else 0.5


def alarms_at(hostile: Bools, threat: Floats, weight: Floats, detection: float) -> float:
    """Share of harmless rows at or above the threshold that `detection` of the hostile ones reach; 0 of no rows."""
    attacks, order = weight * hostile, np.argsort(-threat, kind="stable")
    total, calm = attacks.sum(), weight * ~hostile
    if total <= 0 or calm.sum() <= 0:
        return 0.0
    reached = np.cumsum(attacks[order]) >= detection * total - 1e-9
    threshold = threat[order][int(np.argmax(reached))]
    return float(calm[threat >= threshold].sum() / calm.sum())


def resampled(
    groups: Sequence[str], statistic: Callable[[Floats], float], seed: int, resamples: int = RESAMPLES
) -> tuple[float, float, float]:
    """A statistic of row weights [N] and its interval, each end one-sided at 95 %: a bootstrap over groups (Efron
    1979), because near-duplicates say the same thing.
    """
    rng = np.random.default_rng(seed)
    names, place = np.unique(np.array(groups), return_inverse=True)
    draws = []
    for _ in range(resamples):
        times = np.bincount(rng.integers(0, len(names), len(names)), minlength=len(names))
        draws.append(statistic(times[place].astype(np.float64)))
    low, high = np.quantile(draws, (1.0 - CONFIDENCE, CONFIDENCE))
    return statistic(np.ones(len(place))), float(low), float(high)


def missing(count: int, excess: float) -> int:
    """How many more rows make an interval narrower by `excess`: its width falls with the root of their number."""
    return ceil(count * excess**2) - count

"""How good scores are: areas, rates at fixed false-positive rates, intervals, thresholds with a bound. Pure numpy.

Scores are float arrays [N]; higher means more of a threat. A threshold is reached *at* its value: `score >= threshold`.
No accuracy and no F1: at one attack in thousands of flows only the far left of the ROC curve matters.
"""

import math
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from classifier.card import OperatingPoint

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

CONFIDENCE: Final = 0.95
ROUNDS: Final = 300
"""Resamples of an interval: its ends are then known to about a tenth of its width."""
_STEPS: Final = 60
"""Halvings of a bisection over 0…1: more than a double can tell apart."""


class Interval(NamedTuple):
    """A statistic of the sample and the ends of its two-sided interval."""

    value: float
    low: float
    high: float


# ── ranking ─────────────────────────────────────────────────────────────────────────────────────────────────────


def auroc(y: npt.ArrayLike, score: npt.ArrayLike) -> float:
    """Area under the ROC curve: the chance that a positive outscores a negative, ties counting half.

    y bool [N], score [N]. NaN when one class is missing.
    """
    wanted, _, ranks, size = _dense(y, score)
    return _area(ranks[~wanted], ranks[wanted], size)


def auroc_interval(
    y: npt.ArrayLike,
    score: npt.ArrayLike,
    *,
    clusters: npt.ArrayLike | None = None,
    rounds: int = ROUNDS,
    seed: int = 0,
    confidence: float = CONFIDENCE,
) -> Interval:
    """`auroc` with its interval (see `bootstrap`). `clusters` int [N] names the rows that belong together."""
    wanted, _, ranks, size = _dense(y, score)
    groups = None if clusters is None else np.asarray(clusters)
    return bootstrap(
        lambda negatives, positives: _area(negatives, positives, size),
        ranks[~wanted],
        ranks[wanted],
        clusters=None if groups is None else (groups[~wanted], groups[wanted]),
        rounds=rounds,
        seed=seed,
        confidence=confidence,
    )


def auroc_difference(
    y: npt.ArrayLike,
    score: npt.ArrayLike,
    other: npt.ArrayLike,
    *,
    clusters: npt.ArrayLike | None = None,
    rounds: int = ROUNDS,
    seed: int = 0,
    confidence: float = CONFIDENCE,
) -> Interval:
    """Area of `score` less that of `other` on the same rows [N], with its interval (see `bootstrap`).

    Paired: both areas of a round come from the same resampled rows, so what makes a sample easy for both cancels out.
    """
    wanted, _, ranks, size = _dense(y, score)
    _, _, others, width = _dense(y, other)
    groups = None if clusters is None else np.asarray(clusters)
    return bootstrap(
        lambda negatives, positives: (
            _area(ranks[negatives], ranks[positives], size) - _area(others[negatives], others[positives], width)
        ),
        np.flatnonzero(~wanted),
        np.flatnonzero(wanted),
        clusters=None if groups is None else (groups[~wanted], groups[wanted]),
        rounds=rounds,
        seed=seed,
        confidence=confidence,
    )


def average_precision(y: npt.ArrayLike, score: npt.ArrayLike) -> float:
    """Area under the precision-recall curve as a step function, tied scores taken together. NaN without positives."""
    wanted, _, ranks, size = _dense(y, score)
    if not wanted.any():
        return math.nan
    hits = np.bincount(ranks[wanted], minlength=size)[::-1]
    seen = np.bincount(ranks, minlength=size)[::-1]
    precision = np.cumsum(hits) / np.cumsum(seen)
    return float((precision * hits).sum() / hits.sum())


def _dense(y: npt.ArrayLike, score: npt.ArrayLike) -> tuple[Bools, Floats, Ints, int]:
    """Labels, scores, the dense rank of each score (equal scores share one), and how many ranks there are."""
    wanted, scores = np.asarray(y, bool), np.asarray(score, np.float64)
    if wanted.shape != scores.shape:
        raise ValueError(f"{len(wanted)} labels for {len(scores)} scores")
    values, ranks = np.unique(scores, return_inverse=True)
    return wanted, scores, ranks, len(values)


def _area(negatives: Ints, positives: Ints, size: int) -> float:
    """The area from dense ranks; linear in their number, so that a bootstrap need not sort again."""
    if not len(negatives) or not len(positives):
        return math.nan
    below = np.bincount(negatives, minlength=size)
    above = np.bincount(positives, minlength=size)
    won = above @ (np.cumsum(below) - below / 2)
    return float(won / (len(negatives) * len(positives)))


# ── intervals ───────────────────────────────────────────────────────────────────────────────────────────────────


def bootstrap(
    statistic: Callable[..., float],
    *samples: npt.NDArray[np.generic],
    clusters: Sequence[npt.NDArray[np.generic]] | None = None,
    rounds: int = ROUNDS,
    seed: int = 0,
    confidence: float = CONFIDENCE,
) -> Interval:
    """`statistic(*samples)` and its percentile interval (Efron 1979).

    Stratified: every sample keeps its size. With `clusters`, one array of cluster names for each sample, whole
    clusters are drawn, because rows of one site or capture are no independent evidence. NaN stays NaN.
    """
    value = float(statistic(*samples))
    if math.isnan(value):
        return Interval(value, value, value)
    rng = np.random.default_rng(seed)
    members = [_members(cluster) for cluster in clusters] if clusters is not None else [None] * len(samples)
    drawn = [
        statistic(*(sample[_draw(rng, len(sample), rows)] for sample, rows in zip(samples, members, strict=True)))
        for _ in range(rounds)
    ]
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(drawn, (tail, 1 - tail))
    return Interval(value, float(low), float(high))


def _members(clusters: npt.NDArray[np.generic]) -> list[Ints]:
    """The rows of each cluster."""
    _, inverse = np.unique(clusters, return_inverse=True)
    order = np.argsort(inverse, kind="stable")
    return np.split(order, np.cumsum(np.bincount(inverse))[:-1])


def _draw(rng: np.random.Generator, size: int, members: list[Ints] | None) -> Ints:
    if members is None:
        return rng.integers(0, size, size)
    return np.concatenate([members[index] for index in rng.integers(0, len(members), len(members))])


# ── thresholds ──────────────────────────────────────────────────────────────────────────────────────────────────


def tpr_at_fpr(benign: npt.ArrayLike, attack: npt.ArrayLike, fpr: float) -> float:
    """Share of `attack` [M] found by the lowest threshold that at most `fpr` of `benign` [N] reach. NaN if empty."""
    hits = np.asarray(attack, np.float64)
    if not hits.size or not np.size(benign):
        return math.nan
    return float((hits >= _above(benign, int(fpr * np.size(benign)))).mean())


def threshold_at_fpr(benign_scores: npt.ArrayLike, fpr: float, confidence: float = CONFIDENCE) -> OperatingPoint:
    """The lowest threshold whose true false-positive rate is at most `fpr` with the given one-sided confidence.

    An order statistic of the benign scores [N] (Neyman-Pearson classification, Tong et al. 2018); `upper_bound`
    is the exact binomial bound (Clopper-Pearson 1934) for the scores that reach it. A sample too small to support
    the rate gives a threshold just above its highest score, and the bound says what that is worth; an empty
    one gives a threshold that no probability reaches, and the bound 1.
    """
    scores = np.asarray(benign_scores, np.float64)
    if not scores.size:
        return OperatingPoint(math.nextafter(1.0, 2.0), 1.0)
    threshold = _above(scores, max(0, _allowed(scores.size, fpr, confidence)))
    return OperatingPoint(threshold, rate_bound(int((scores >= threshold).sum()), scores.size, confidence))


def rate_bound(count: int, size: int, confidence: float = CONFIDENCE) -> float:
    """One-sided upper bound (Clopper-Pearson) of a rate of which `count` of `size` were seen; 1 for an empty sample."""
    if count >= size:
        return 1.0
    low, high = count / size, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if _chances(count, size, middle)[-1] > 1 - confidence else (low, middle)
    return high


def _above(scores: npt.ArrayLike, count: int) -> float:
    """The lowest threshold that at most `count` of `scores` reach."""
    ordered = np.sort(np.asarray(scores, np.float64))
    return float(np.nextafter(ordered[-1 - count], np.inf)) if count < len(ordered) else float(ordered[0])


def _allowed(size: int, fpr: float, confidence: float) -> int:
    """How many of `size` may reach the threshold so that the bound of the rate stays within `fpr`; -1 for none."""
    chances = _chances(min(size, math.ceil(size * fpr)), size, fpr)
    return int(np.searchsorted(chances, 1 - confidence, side="right")) - 1


def _chances(most: int, size: int, rate: float) -> Floats:
    """P(X <= k) for k = 0…most, X binomial(size, rate). Float [most + 1]."""
    if rate in (0.0, 1.0):
        return np.full(most + 1, float(rate == 0.0))
    k = np.arange(1, most + 1)
    steps = np.log(size - k + 1) - np.log(k) + math.log(rate) - math.log1p(-rate)
    logs = size * math.log1p(-rate) + np.concatenate(([0.0], np.cumsum(steps)))
    total: Floats = np.cumsum(np.exp(logs))
    return total


# ── calibration ─────────────────────────────────────────────────────────────────────────────────────────────────


def ece(probabilities: npt.ArrayLike, labels: npt.ArrayLike, bins: int = 15) -> float:
    """Expected calibration error of the likeliest label (Guo et al. 2017), in 0…1.

    probabilities [N, K], labels int [N]. NaN when empty.
    """
    rows = np.asarray(probabilities, np.float64)
    if not len(rows):
        return math.nan
    sure = rows.max(1)
    right = rows.argmax(1) == np.asarray(labels)
    bucket = np.minimum((sure * bins).astype(np.int64), bins - 1)
    gap = np.bincount(bucket, sure - right, bins)
    return float(np.abs(gap).sum() / len(rows))

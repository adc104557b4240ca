"""What scores are worth where threats are rare: figures at a stated share of threats, by reweighting.

In the corpora every second row may be hostile, in live traffic hardly one in a hundred is. Rows of each class are
weighted so that together they make up the share they have in traffic; everything here is then as it would be there.
Bins are of equal width, the error is the weighted gap between what was said and what was so (Guo et al. 2017, on the
score of one class).
"""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from classifier.evaluate import Bools, Floats

PRIOR: Final = 0.01
"""Share of threats in traffic that figures are given for."""
BINS: Final = 15


class Bin(NamedTuple):
    """The rows whose score lies in one bin: their mean score, the share of them that is hostile, their weight."""

    said: float
    so: float
    weight: float


def weights(hostile: Bools, prior: float = PRIOR) -> Floats:
    """A weight for each row [N]: hostile ones sum to `prior`, the others to the rest. Both classes must be there."""
    return np.where(hostile, prior / hostile.sum(), (1 - prior) / (~hostile).sum())


def bins(y: npt.ArrayLike, score: npt.ArrayLike, prior: float = PRIOR, count: int = BINS) -> list[Bin]:
    """The bins that hold rows, by rising score. y bool [N], score in 0…1 [N]; empty when a class is missing."""
    hostile, scores = np.asarray(y, bool), np.asarray(score, np.float64)
    if not hostile.any() or hostile.all():
        return []
    weight = weights(hostile, prior)
    bucket = np.minimum((scores * count).astype(np.int64), count - 1)
    total = np.bincount(bucket, weight, count)
    said, so = np.bincount(bucket, weight * scores, count), np.bincount(bucket, weight * hostile, count)
    return [
        Bin(float(said[i] / total[i]), float(so[i] / total[i]), float(total[i])) for i in range(count) if total[i] > 0
    ]


def ece_at(y: npt.ArrayLike, score: npt.ArrayLike, prior: float = PRIOR) -> float:
    """Expected calibration error of the score at a share `prior` of threats, in 0…1. NaN when a class is missing."""
    found = bins(y, score, prior)
    return sum(each.weight * abs(each.said - each.so) for each in found) if found else float("nan")


def precision_recall(y: npt.ArrayLike, score: npt.ArrayLike, prior: float = PRIOR) -> tuple[Floats, Floats]:
    """Recall, rising, and the precision at it, each [distinct scores], at a share `prior` of threats.

    Empty when a class is missing.
    """
    hostile, scores = np.asarray(y, bool), np.asarray(score, np.float64)
    if not hostile.any() or hostile.all():
        return np.zeros(0), np.zeros(0)
    order = np.argsort(-scores, kind="stable")
    last = np.flatnonzero(np.diff(scores[order], append=-np.inf))  # tied scores are taken together
    weight = weights(hostile, prior)[order]
    hits = np.cumsum(weight * hostile[order])[last]
    return hits / prior, hits / np.cumsum(weight)[last]


def average_precision_at(y: npt.ArrayLike, score: npt.ArrayLike, prior: float = PRIOR) -> float:
    """Area under `precision_recall` as a step function. NaN when a class is missing."""
    recall, precision = precision_recall(y, score, prior)
    return float(np.diff(recall, prepend=0.0) @ precision) if len(recall) else float("nan")

"""Operating points of a candidate: the incumbent's, carried over to the candidate's scale of scores. Pure.

A few hundred harmless rows cannot prove a threshold for one false positive in ten thousand, and synthetic ones are
harder than any traffic. What the rows at hand can show is where the candidate finds as much as the incumbent does:

1. Each threat point moves to the score that the candidate gives as large a share of hostile base rows.
2. It rises to the order statistic of the site's own harmless rows where there are enough of them for the rate
   (Neyman-Pearson classification, Tong et al. 2018).
3. A stricter rate's point is never below a laxer one's.

The gates then judge what this costs in false positives. Temperatures are parameters that no strategy moves.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from classifier.card import OperatingPoint, OperatingPoints
from classifier.evaluate import threshold_at_fpr
from classifier.thresholds import THREAT
from finetune.acceptance import supports

Floats = npt.NDArray[np.float64]

RATES: Final = ("0.01", "0.001", "0.0001")
LEAST: Final = 30
"""Hostile rows of a kind and phase from which its points are moved."""


class Scores(NamedTuple):
    """Threats of calibration rows of one kind and phase: hostile ones [N] before and after, harmless ones [M] after."""

    before: Floats
    after: Floats
    harmless: Floats


def carried(points: OperatingPoints, scores: Mapping[str, Scores]) -> OperatingPoints:
    """The threat points of each kind/phase on the candidate's scale; other points, and those without rows, stay."""
    return {
        key: {**named, THREAT: _carried(named[THREAT], scores[key])} if THREAT in named and key in scores else named
        for key, named in points.items()
    }


def _carried(points: Mapping[str, OperatingPoint], scores: Scores) -> dict[str, OperatingPoint]:
    found: dict[str, OperatingPoint] = {}
    floor = 0.0
    for rate in RATES:
        if rate not in points:
            continue
        point = msgspec.structs.replace(points[rate], threshold=_matched(points[rate].threshold, scores))
        if len(scores.harmless) >= supports(float(rate)):
            own = threshold_at_fpr(scores.harmless, float(rate))
            point = own if own.threshold > point.threshold else point
        floor = max(floor, point.threshold)
        found[rate] = msgspec.structs.replace(point, threshold=floor)
    return found


def _matched(threshold: float, scores: Scores) -> float:
    """The score that as many hostile rows reach after as reached `threshold` before; the same where none or all did."""
    reached = int((scores.before >= threshold).sum())
    if len(scores.before) < LEAST or reached in (0, len(scores.before)):
        return threshold
    ordered = np.sort(scores.after)[::-1]
    # Halfway to the next row, so that rounding does not decide over the last one.
    return float((ordered[reached - 1] + ordered[reached]) / 2)

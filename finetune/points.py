"""Operating points of a candidate: the incumbent's, carried over to the candidate's scale of scores. Pure.

A few hundred harmless rows cannot prove a threshold for one false positive in ten thousand, and synthetic ones are
harder than any traffic. What the rows at hand can show is where the candidate finds as much as the incumbent does:

1. Each threat point moves to the score that the candidate gives as large a share of hostile base rows; the point
   of scanners, which only flags, to the one that it gives as large a share of harmless ones.
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
from classifier.records import Label
from classifier.thresholds import THREAT, rate
from finetune.budget import USUAL
from finetune.statistics import supports

Floats = npt.NDArray[np.float64]

RATES: Final = ("0.01", "0.001", "0.0001")
Points = dict[str, dict[str, OperatingPoint]]
LEAST: Final = 30
"""Rows of a kind and phase from which its points are moved."""


class Scores(NamedTuple):
    """Scores of calibration rows of one kind and phase, before (incumbent) and after (candidate)."""

    before: Floats
    after: Floats
    """Threats of hostile base rows [N]."""
    scanner_before: Floats
    scanner_after: Floats
    """Scanner scores of harmless base rows [M]."""
    harmless: Floats
    """Threats of the site's harmless rows under the candidate."""


def carried(points: OperatingPoints, scores: Mapping[str, Scores], wrong: float = USUAL) -> OperatingPoints:
    """The points of threat and scanner on the candidate's scale; other points, and those without rows, stay.

    `wrong` is the share of harmless flows that may be blocked: the point that blocks under it is held to it.
    """
    return {key: _carried(named, scores[key], wrong) if key in scores else named for key, named in points.items()}


def _carried(named: Points, scores: Scores, wrong: float) -> Points:
    moved = dict(named)
    if THREAT in named:
        moved[THREAT] = _threats(named[THREAT], scores, wrong)
    if Label.SCANNER in named:
        moved[Label.SCANNER] = {
            rate: _at(point, _matched(point.threshold, scores.scanner_before, scores.scanner_after))
            for rate, point in named[Label.SCANNER].items()
        }
    return moved


def _threats(points: Mapping[str, OperatingPoint], scores: Scores, wrong: float) -> dict[str, OperatingPoint]:
    found: dict[str, OperatingPoint] = {}
    floor = 0.0
    for name in RATES:
        if name not in points:
            continue
        point = _at(points[name], _matched(points[name].threshold, scores.before, scores.after))
        share = wrong if name == rate(wrong) else float(name)
        if len(scores.harmless) >= supports(share):
            own = threshold_at_fpr(scores.harmless, share)
            point = own if own.threshold > point.threshold else point
        floor = max(floor, point.threshold)
        found[name] = _at(point, floor)
    return found


def _at(point: OperatingPoint, threshold: float) -> OperatingPoint:
    return msgspec.structs.replace(point, threshold=threshold)


def _matched(threshold: float, before: Floats, after: Floats) -> float:
    """The score that as many rows reach after as reached `threshold` before; the same where none or all did."""
    reached = int((before >= threshold).sum())
    if len(before) < LEAST or reached in (0, len(before)):
        return threshold
    ordered = np.sort(after)[::-1]
    # Halfway to the next row, so that rounding does not decide over the last one.
    return float((ordered[reached - 1] + ordered[reached]) / 2)

"""How far a distribution has moved: the population stability index over counted bins. Pure.

PSI = Σ (q - p) · ln(q / p) over bins, p the reference's share of a bin and q the present one's (Siddiqi, *Credit Risk
Scorecards*, 2006): below 0.1 nothing to speak of, from 0.25 on a different population. It is the symmetric
Kullback-Leibler divergence of the two histograms. Where nothing has moved its mean is about (bins - 1)(1/n + 1/m)
(Yurdakul, *Statistical Properties of Population Stability Index*, 2018), so both sides need enough rows.

What is counted is finer than what is compared: of the fine bins those are merged that together hold a tenth of the
reference. So counts can be taken before anybody knows the reference, and be added up over hours and processes.
"""

import math
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]
Word = Literal["stable", "watch", "moved"]

WATCH: Final = 0.1
MOVED: Final = 0.25
"""Siddiqi's conventions."""
ENOUGH: Final = 1000
"""Rows on either side before an index is said. With ten bins and nothing moved one in a thousand is above 0.06."""
SCORE_BINS: Final = 64
"""Half a unit of log-odds each, from -16 to 16."""
AXIS_BINS: Final = 32
"""A quarter of a standard deviation each, from -4 to 4."""
_GROUPS: Final = 10
_HALF: Final = 0.5
"""Added to each merged bin (Jeffreys): an empty one would make the index infinite."""


def score_bin(threat: float) -> int:
    """The bin of a threat 0…1 by its log-odds: what a calibrated score is linear in, and what spreads its low end."""
    if threat <= 0.0:
        return 0
    if threat >= 1.0:
        return SCORE_BINS - 1
    return min(max(int(2.0 * (math.log(threat / (1.0 - threat)) + 16.0)), 0), SCORE_BINS - 1)


def axis_bins(coordinates: npt.NDArray[np.float64]) -> Counts:
    """The bins of standardised coordinates, any shape; what is not finite counts as far out."""
    known = np.nan_to_num(coordinates, nan=4.0, posinf=4.0, neginf=-4.0)
    return np.clip(np.floor(4.0 * (known + 4.0)), 0, AXIS_BINS - 1).astype(np.int64)


def psi(reference: Counts, present: Counts) -> float:
    """Population stability index of two histograms over the same fine bins, int [B] each. Both hold at least a row."""
    return float(terms(reference, present)[1].sum())


def terms(reference: Counts, present: Counts) -> tuple[Counts, npt.NDArray[np.float64]]:
    """The merged bin of each fine bin, int [B], and each merged bin's part of the index, float [G]."""
    group, before, after = _shares(reference, present)
    return group, (after - before) * np.log(after / before)


def slopes(reference: Counts, present: Counts) -> npt.NDArray[np.float64]:
    """ln(q / p) of each fine bin, float [B].

    The index is Σ (q - p) times this, so the part of it that a share of the rows brought is the same sum over their
    own shares of either side: parts of hosts add up to the whole.
    """
    group, before, after = _shares(reference, present)
    slope: npt.NDArray[np.float64] = np.log(after / before)[group]
    return slope


def word(index: float) -> Word:
    """An index in a word."""
    return "moved" if index >= MOVED else "watch" if index >= WATCH else "stable"


def _shares(reference: Counts, present: Counts) -> tuple[Counts, npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    group = _merged(reference)
    shares = []
    for side in (reference, present):
        rows = np.bincount(group, weights=side) + _HALF
        shares.append(rows / rows.sum())
    return group, shares[0], shares[1]


def _merged(reference: Counts) -> Counts:
    """Neighbours that together hold a tenth; a bin that holds it alone stays alone, so what is empty beside it does."""
    least = reference.sum() / _GROUPS
    group = np.zeros(len(reference), np.int64)
    number, held, begun = 0, 0.0, False
    for index, rows in enumerate(reference):
        if begun and (held >= least or rows >= least):
            number, held = number + 1, 0.0
        group[index] = number
        held, begun = held + rows, True
    return group

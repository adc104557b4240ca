"""What learning a site did to the site and to everything else. Pure; scores are float [N], higher is worse traffic.

The words are those of continual learning (Lopez-Paz & Ranzato 2017, arXiv:1706.08840), with two tasks: the base,
which was learned first, and the site.

    backward transfer   base after the site was learned - base before;  below zero it is forgetting
    forward transfer    the site before it was learned - the site under an untrained network (0.5: chance)
    negative transfer   the site after it was learned is worse than before, and not by chance (Wang et al. 2019,
                        arXiv:1811.09751): the incumbent would have done better untouched
"""

import math
from typing import Final, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from classifier.evaluate import Interval
from finetune.acceptance import DETECTION
from finetune.statistics import Bools, Floats, alarms_at, area, resampled

Verdict = Literal["positive", "none", "negative"]

CHANCE: Final = 0.5
"""Area under the curve of a network that knows nothing."""
_NOTHING: Final = Interval(math.nan, math.nan, math.nan)


class Seen(NamedTuple):
    """N rows as one system scores them: `hostile` bool [N], `score` float [N]; rows of a group are near-duplicates.

    Each end of an interval below is one-sided at 95 %, by a bootstrap over groups. NaN when a class is missing.
    """

    hostile: Bools
    score: Floats
    groups: npt.NDArray[np.str_]

    @property
    def judged(self) -> bool:
        """Whether there are rows of both classes."""
        return bool(self.hostile.any() and not self.hostile.all())


def quality(rows: Seen) -> float:
    """Area under the ROC curve."""
    return area(rows.hostile, rows.score, np.ones(len(rows.score))) if rows.judged else math.nan


def false_positives(rows: Seen, seed: int = 0) -> Interval:
    """Share of harmless rows at or above the threshold that `DETECTION` of the hostile ones reach.

    With the detection fixed no threshold matters: every system, the incumbent too, is judged as if it had been given
    the best one for the site.
    """
    if not rows.judged:
        return _NOTHING
    found = resampled(list(rows.groups), lambda weight: alarms_at(rows.hostile, rows.score, weight, DETECTION), seed)
    return Interval(*found)


def gain(before: Seen, after: Seen, seed: int = 0) -> Interval:
    """Area after less area before on the same rows, paired."""
    if not before.judged:
        return _NOTHING

    def won(weight: Floats) -> float:
        return area(after.hostile, after.score, weight) - area(before.hostile, before.score, weight)

    return Interval(*resampled(list(before.groups), won, seed))


def lost(before: Bools, after: Bools, groups: npt.NDArray[np.str_], seed: int = 0) -> Interval:
    """Share of rows found before less the share found after, bool [N] each, paired."""
    change = before.astype(np.float64) - after
    if not len(change):
        return _NOTHING
    return Interval(*resampled(list(groups), lambda weight: float(weight @ change / weight.sum()), seed))


def verdict(gained: Interval) -> Verdict:
    """Whether the site gained (`gain`): the whole interval must lie on one side of zero."""
    if gained.low > 0:
        return "positive"
    return "negative" if gained.high < 0 else "none"


def forward(before: float) -> float:
    """Forward transfer: what the base knew of the site before anything was learned from it, over chance."""
    return before - CHANCE

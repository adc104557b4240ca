"""What may be promised of wrong blocks: "at most 1 of N harmless flows", from the site's own traffic.

The flows are ones that nobody learned from, so the share of them that reaches the block threshold bounds the share of
tomorrow's with an exact one-sided bound (Clopper & Pearson 1934; a threshold at an order statistic of these flows
keeps it too: Neyman-Pearson classification, Tong et al. 2018). Flows that raised an alarm and that nobody labelled may
be harmless as well: each one that would be blocked is counted as a wrong block.
"""

from collections.abc import Mapping
from fractions import Fraction
from typing import Final, NamedTuple

import msgspec

from classifier.card import OperatingPoints
from classifier.errors import UserError
from classifier.evaluate import rate_bound
from classifier.thresholds import THREAT, rate
from finetune.statistics import Floats, supports

USUAL: Final = 1e-4
"""1 wrong block in 10,000."""
FEWEST: Final = 0.01
"""The laxest budget: 1 wrong block in 100."""


class Promise(msgspec.Struct, frozen=True):
    """For one kind and phase: whether the budget is kept, by how many flows that is known, and what is missing.

    `bound` is the share of harmless flows blocked, with 95 % confidence at most; `doubtful` are unlabelled alarms that
    would be blocked; `needed` is how many more harmless flows it takes.
    """

    scope: str
    kept: bool
    flows: int
    wrong: int
    doubtful: int
    bound: float
    needed: int
    said: str


class Calm(NamedTuple):
    """Threats under the candidate of one kind and phase: harmless flows [N], and alarms that nobody labelled [M]."""

    harmless: Floats
    doubtful: Floats


def read(text: str) -> float:
    """`1 in 10000`, `1/10000` or `0.0001` as a share. Raises UserError with what is allowed."""
    try:
        share = float(Fraction(text.replace(" in ", "/").replace(",", "").replace(" ", "")))
        rate(share)
    except (ValueError, ZeroDivisionError):
        share = 0.0
    if not 0.0 < share <= FEWEST:
        raise UserError(f"{text!r} is no budget of wrong blocks: between 1/100 and 1/10000, such as '1 in 1000'")
    return share


def promises(points: OperatingPoints, calm: Mapping[str, Calm], share: float) -> list[Promise]:
    """One promise for each kind and phase, for the point that blocks under the budget `share`."""
    return [
        _promise(scope, points[scope][THREAT][rate(share)].threshold, rows, share)
        for scope, rows in sorted(calm.items())
        if rate(share) in points.get(scope, {}).get(THREAT, {})
    ]


def _promise(scope: str, threshold: float, rows: Calm, share: float) -> Promise:
    count, wrong = len(rows.harmless), int((rows.harmless >= threshold).sum())
    doubtful = int((rows.doubtful >= threshold).sum())
    bound = rate_bound(wrong + doubtful, count + doubtful)
    kept = bound <= share
    needed = 0 if kept else _needed(wrong, count, share)
    said = _said(f"1 in {round(1 / share):,}", scope, count, wrong, doubtful, bound, needed)
    return Promise(scope, kept, count, wrong, doubtful, bound, needed, said)


def _needed(wrong: int, count: int, share: float) -> int:
    """How many more harmless flows keep the budget if as many as now are blocked of all: 0 if no number would."""
    enough = supports(share)
    while rate_bound(wrong, enough) > share:
        enough = round(enough * 1.1)
    return max(0, enough - count)


def _said(budget: str, scope: str, count: int, wrong: int, doubtful: int, bound: float, needed: int) -> str:
    if not count + doubtful:
        return (
            f"{scope}: no harmless flow was left that nothing was learned from and that no gate judged. "
            f"At most {budget} cannot be promised: {needed:,} more harmless flows are needed."
        )
    seen = f"{scope}: {wrong:,} of {count:,} harmless flows that nothing was learned from would be blocked"
    worth = f"which proves at most 1 wrong block in {int(1 / bound):,}"
    if doubtful:
        seen += f", and {doubtful:,} that raised an alarm and that nobody labelled"
    if not needed and not doubtful:
        return f"{seen}, {worth}; the budget of {budget} is kept."
    asked = [f"{needed:,} more harmless flows are needed"] if needed else []
    asked += [f"the {doubtful:,} alarms must be labelled"] if doubtful else []
    return f"{seen}, {worth}. At most {budget} cannot be promised: {' and '.join(asked)}."

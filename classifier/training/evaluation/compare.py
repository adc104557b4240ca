"""Two systems on the same flows: how their areas differ, whose verdicts are right where they disagree.

Differences of areas have a paired bootstrap's interval; verdicts at the thresholds are compared by McNemar's exact
test (McNemar 1947), which looks only at flows that one system gets right and the other does not.
"""

from collections import Counter
from collections.abc import Sequence

import msgspec
import numpy as np

from classifier.evaluate import Bools, auroc_difference
from classifier.records import HARMLESS
from classifier.thresholds import BLOCK_AT, FLAG_AT, THREAT
from classifier.training.evaluation.measure import TARGETS, Judgement, System
from classifier.training.evaluation.sources import Bounds, Columns, Sides, bounds, places

ACTIONS = ("allow", "flag", "block")


class Discord(msgspec.Struct):
    """Flows that only the first and only the second system gets right at a threshold, and McNemar's two-sided p."""

    first: int
    second: int
    p: float


class Difference(msgspec.Struct):
    """Area of the first system less the second's on one source, over flows that both judge.

    `found` and `passed` are, by nominal rate, the discordant hostile and harmless flows; empty without thresholds.
    """

    source: str
    family: str
    target: str
    positives: int
    negatives: int
    against: str
    auroc: Bounds
    found: dict[str, Discord] = {}
    passed: dict[str, Discord] = {}


class Flip(msgspec.Struct):
    """How many hostile or harmless flows of a family the first system treats one way and the second another."""

    family: str
    hostile: bool
    first: str
    second: str
    count: int


class Comparison(msgspec.Struct):
    """The first system against the second: `a` and `b` are their names."""

    a: str
    b: str
    differences: list[Difference]
    flips: list[Flip] = []


def compare(judgement: Judgement, a: System, b: System, seed: int = 0) -> Comparison:
    """Everything that can be said of the pair."""
    one, two = Columns(judgement, a), Columns(judgement, b)
    both = one.judged & two.judged
    found = (
        _difference(one, two, both, source, family, target, seed)
        for source, family in places(judgement)
        for target in TARGETS
    )
    return Comparison(a.name, b.name, [each for each in found if each], flips(judgement, a, b))


def flips(judgement: Judgement, a: System, b: System) -> list[Flip]:
    """Flows whose action differs, counted; none where a system has no thresholds."""
    if not a.points or not b.points:
        return []
    one, two = Columns(judgement, a), Columns(judgement, b)
    both = one.judged & two.judged
    hostile = ~np.isin(one.labels, [str(label) for label in HARMLESS])
    first, second = actions(one), actions(two)
    changed = both & (first != second)
    counts = Counter(
        zip(
            one.family[changed].tolist(),
            hostile[changed].tolist(),
            first[changed].tolist(),
            second[changed].tolist(),
            strict=True,
        )
    )
    return [Flip(*key[:2], ACTIONS[key[2]], ACTIONS[key[3]], count) for key, count in sorted(counts.items())]


def actions(columns: Columns) -> np.ndarray:
    """Index into `ACTIONS` of what the shipped points would do with each flow, int [N]."""
    score = columns.scores[:, 0]
    with np.errstate(invalid="ignore"):
        flagged, blocked = score >= columns.limits[FLAG_AT], score >= columns.limits[BLOCK_AT]
    return np.where(blocked, 2, np.where(flagged, 1, 0))


def mcnemar(first: int, second: int) -> float:
    """Two-sided exact p that flows only the `first` gets right are as common as those only the `second` does."""
    size, fewer = first + second, min(first, second)
    if not size:
        return 1.0
    k = np.arange(1, fewer + 1)
    logs = np.concatenate(([0.0], np.cumsum(np.log(size - k + 1) - np.log(k)))) - size * np.log(2)
    return min(1.0, 2 * float(np.exp(logs).sum()))


def _difference(
    one: Columns, two: Columns, both: Bools, source: str, family: str, target: str, seed: int
) -> Difference | None:
    sides = one.sides(source, family, target)
    if sides is None:
        return None
    hostile, benign, positives, negatives = (rows & both for rows in sides[:4])
    sides = Sides(hostile, benign, positives, negatives, sides.against)
    if not sides.positives.any() or not sides.negatives.any():
        return None
    rows, column = sides.positives | sides.negatives, TARGETS.index(target)
    area = auroc_difference(
        sides.positives[rows],
        one.scores[rows, column],
        two.scores[rows, column],
        clusters=one.clusters(sides),
        seed=seed,
    )
    return Difference(
        source,
        family,
        target,
        int(sides.hostile.sum()),
        int(sides.benign.sum()),
        sides.against,
        bounds(area),
        _discords(one, two, sides.hostile, hostile=True) if target == THREAT else {},
        _discords(one, two, sides.benign, hostile=False) if target == THREAT else {},
    )


def _discords(one: Columns, two: Columns, rows: Bools, *, hostile: bool) -> dict[str, Discord]:
    found = {}
    for rate in (FLAG_AT, BLOCK_AT):
        known = rows & np.isfinite(one.limits[rate]) & np.isfinite(two.limits[rate])
        if not known.any():
            continue
        right, other = ((columns.scores[known, 0] >= columns.limits[rate][known]) == hostile for columns in (one, two))
        first, second = int((right & ~other).sum()), int((other & ~right).sum())
        found[rate] = Discord(first, second, round(mcnemar(first, second), 6))
    return found


def pairs(systems: Sequence[System]) -> list[tuple[System, System]]:
    """The first system against each other one."""
    return [(systems[0], other) for other in systems[1:]]

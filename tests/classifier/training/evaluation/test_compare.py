"""Two systems on the same flows."""

from collections.abc import Sequence

import numpy as np
import pytest

from classifier.card import OperatingPoint, OperatingPoints
from classifier.evaluate import Floats
from classifier.records import FlowRecord, Label
from classifier.training.evaluation.compare import Comparison, Flip, compare, mcnemar, pairs
from classifier.training.evaluation.measure import Example, judge

POINTS: OperatingPoints = {
    "http/request": {"threat": {"0.01": OperatingPoint(0.5, 0.01), "0.0001": OperatingPoint(0.9, 0.0001)}}
}


class Table:
    """A system that looks its scores up by port."""

    release = "r"

    def __init__(self, name: str, scores: dict[int, float], points: OperatingPoints) -> None:
        self.name, self.points, self._scores = name, points, scores

    def score(self, records: Sequence[FlowRecord]) -> Floats:
        return np.asarray([[self._scores[record.port]] * 3 for record in records], np.float64).reshape(-1, 3)


def _compared(
    first: dict[int, float], second: dict[int, float], hostile: int, points: OperatingPoints = POINTS
) -> Comparison:
    """Ports below `hostile` are harmless."""
    one, two = Table("a", first, POINTS), Table("b", second, points)
    labels = [Label.SQLI if port >= hostile else Label.BENIGN for port in first]
    flows = [
        Example("s", "http", FlowRecord(path="/", port=port, label=label))
        for port, label in zip(first, labels, strict=True)
    ]
    return compare(judge(flows, [one, two]), one, two)


CALM = {port: 0.1 for port in range(1, 31)}


def test_the_better_one_is_ahead_with_an_interval() -> None:
    perfect = CALM | {port: 0.95 for port in range(31, 61)}
    guessing = {port: (port * 7 % 10) / 10 for port in range(1, 61)}
    whole, source = _compared(perfect, guessing, 31).differences
    assert (whole.source, source.source) == ("*", "s")
    value, low, high = source.auroc
    assert low < value < high
    assert low > 0.2
    assert _compared(perfect, perfect, 31).differences[0].auroc == (0.0, 0.0, 0.0)


def test_verdicts_are_compared_where_they_disagree() -> None:
    first = CALM | {port: 0.95 for port in range(31, 61)}
    second = first | {port: 0.2 for port in range(31, 41)} | {1: 0.6}
    found = _compared(first, second, 31).differences[0]
    assert (found.found["0.01"].first, found.found["0.01"].second) == (10, 0)
    assert found.found["0.01"].p == pytest.approx(2 / 2**10, abs=1e-6)
    assert (found.passed["0.01"].first, found.passed["0.01"].second) == (1, 0)
    assert found.passed["0.0001"].p == 1.0


def test_flips_are_counted_by_action() -> None:
    first = CALM | {port: 0.95 for port in range(31, 61)}
    second = first | {31: 0.2, 32: 0.6, 33: 0.6, 1: 0.6}
    assert _compared(first, second, 31).flips == [
        Flip("http", False, "allow", "flag", 1),
        Flip("http", True, "block", "allow", 1),
        Flip("http", True, "block", "flag", 2),
    ]


def test_only_flows_that_both_judge_count() -> None:
    first = CALM | {port: 0.95 for port in range(31, 61)}
    second = first | {port: float("nan") for port in range(41, 61)}
    found = _compared(first, second, 31)
    assert found.differences[0].positives == 10
    assert found.flips == []


def test_without_thresholds_only_areas_are_compared() -> None:
    scores = CALM | {port: 0.95 for port in range(31, 61)}
    found = _compared(scores, scores, 31, {})
    assert found.differences[0].found == {}
    assert found.flips == []


@pytest.mark.parametrize(
    ("first", "second", "p"), [(0, 0, 1.0), (5, 5, 1.0), (1, 0, 1.0), (0, 6, 2 / 64), (8, 1, 20 / 512)]
)
def test_mcnemar(first: int, second: int, p: float) -> None:
    assert mcnemar(first, second) == pytest.approx(p)
    assert mcnemar(second, first) == pytest.approx(p)


def test_the_first_meets_each_other() -> None:
    a, b, c = (Table(name, {}, {}) for name in "abc")
    assert pairs([a, b, c]) == [(a, b), (a, c)]

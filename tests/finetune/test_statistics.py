import numpy as np
import pytest

from finetune import statistics


def test_the_area_counts_ties_half() -> None:
    hostile, ones = np.array([True, True, False, False]), np.ones(4)
    assert statistics.area(hostile, np.array([2.0, 1.0, 1.0, 0.0]), ones) == 0.875
    assert statistics.area(hostile, np.zeros(4), ones) == 0.5
    assert statistics.area(np.ones(2, bool), np.zeros(2), np.ones(2)) == 0.5


def test_supports_are_the_known_sample_sizes() -> None:
    assert [statistics.supports(rate) for rate in (0.01, 0.001, 0.0001)] == [299, 2995, 29956]


@pytest.mark.parametrize(
    ("hits", "count", "low", "high"),
    [(0, 299, 0.0, 0.00997), (299, 299, 0.99003, 1.0), (5, 10, 0.2224, 0.7776), (1, 20, 0.00256, 0.2161)],
)
def test_intervals_are_exact(hits: int, count: int, low: float, high: float) -> None:
    assert statistics.interval(hits, count) == pytest.approx((low, high), abs=1e-4)


@pytest.mark.parametrize(("gained", "lost", "p"), [(0, 0, 1.0), (5, 0, 1 / 32), (1, 1, 0.75), (0, 9, 1.0)])
def test_mcnemar_is_the_binomial_tail(gained: int, lost: int, p: float) -> None:
    assert statistics.mcnemar(gained, lost) == pytest.approx(p)


def test_alarms_are_counted_where_the_detection_is_reached() -> None:
    hostile = np.array([True] * 4 + [False] * 4)
    threat = np.array([0.9, 0.8, 0.7, 0.1, 0.75, 0.2, 0.1, 0.0])
    assert statistics.alarms_at(hostile, threat, np.ones(8), 0.75) == 0.25
    assert statistics.alarms_at(hostile, threat, np.ones(8), 1.0) == 0.75
    assert statistics.alarms_at(np.zeros(2, bool), np.zeros(2), np.ones(2), 0.9) == 0.0


def test_near_duplicates_widen_the_interval() -> None:
    values = np.array([0.0, 1.0] * 50)
    alone = [str(i) for i in range(100)]
    together = [str(i % 4) for i in range(100)]

    def mean(weight: statistics.Floats) -> float:
        return float((weight * values).sum() / weight.sum())

    wide, narrow = (statistics.resampled(groups, mean, 0) for groups in (together, alone))
    assert wide[0] == narrow[0] == 0.5
    assert wide[2] - wide[1] > 2 * (narrow[2] - narrow[1])


def test_twice_as_narrow_takes_four_times_the_rows() -> None:
    assert statistics.missing(100, 2.0) == 300

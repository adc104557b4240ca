import numpy as np
import pytest

from classifier.card import OperatingPoint
from finetune.points import Scores, carried

POINTS = {
    "http/request": {
        "threat": {
            "0.01": OperatingPoint(0.5, 0.01),
            "0.001": OperatingPoint(0.8, 0.001),
            "0.0001": OperatingPoint(0.9, 0.0001),
        },
        "scanner": {"0.01": OperatingPoint(0.3, 0.01)},
    },
    "dns/request": {"c2": {"0.01": OperatingPoint(0.4, 0.01)}},
}
SCALE = np.arange(100) / 100.0
NONE = np.zeros(0)


def thresholds(before: np.ndarray, after: np.ndarray, harmless: np.ndarray = NONE) -> list[float]:
    points = carried(POINTS, {"http/request": Scores(before, after, NONE, NONE, harmless)})
    return [point.threshold for point in points["http/request"]["threat"].values()]


def test_without_enough_rows_the_points_stay() -> None:
    assert thresholds(NONE, NONE) == [0.5, 0.8, 0.9]
    assert thresholds(SCALE[:29], SCALE[:29] / 2, np.ones(298)) == [0.5, 0.8, 0.9]


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_points_follow_the_scale_of_hostile_rows(scale: float) -> None:
    assert thresholds(SCALE, scale * SCALE) == pytest.approx([0.495 * scale, 0.795 * scale, 0.895 * scale])


@pytest.mark.parametrize("before", [np.zeros(50), np.ones(50)])
def test_a_point_that_all_or_no_rows_reach_stays(before: np.ndarray) -> None:
    assert thresholds(before, np.full(50, 0.7)) == [0.5, 0.8, 0.9]


def test_harmless_site_rows_raise_the_points_that_they_support_and_the_stricter_ones_with_them() -> None:
    assert thresholds(NONE, NONE, np.zeros(4000)) == [0.5, 0.8, 0.9]
    lax, middle, strict = thresholds(NONE, NONE, np.linspace(0, 1, 1000))
    assert 0.98 < lax < 1.0
    assert lax == middle == strict


def test_the_scanner_point_follows_the_scale_of_harmless_rows() -> None:
    after = carried(POINTS, {"http/request": Scores(NONE, NONE, SCALE, SCALE / 2, NONE)})["http/request"]
    assert after["scanner"]["0.01"].threshold == pytest.approx(0.1475)
    assert after["threat"] == POINTS["http/request"]["threat"]


def test_kinds_without_rows_are_kept() -> None:
    after = carried(POINTS, {"http/request": Scores(SCALE, SCALE / 2, NONE, NONE, np.ones(400))})
    assert after["dns/request"] == POINTS["dns/request"]
    assert after["http/request"]["scanner"] == POINTS["http/request"]["scanner"]


@pytest.mark.parametrize(("budget", "middle"), [(1e-4, 0.8), (1 / 400, 0.96)])
def test_the_point_that_blocks_is_held_to_the_budget(budget: float, middle: float) -> None:
    harmless = np.concatenate((np.zeros(1400), [0.95, 0.96]))  # too few for 1 in 1,000, enough for 1 in 400
    points = carried(POINTS, {"http/request": Scores(NONE, NONE, NONE, NONE, harmless)}, budget)
    found = points["http/request"]["threat"]
    assert found["0.01"].threshold == 0.5
    assert found["0.001"].threshold == pytest.approx(middle)
    assert found["0.0001"].threshold == pytest.approx(max(middle, 0.9))

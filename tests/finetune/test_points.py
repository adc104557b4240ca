import numpy as np

from classifier.card import OperatingPoint
from finetune.points import raised

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


def thresholds(threats: np.ndarray | None) -> list[float]:
    harmless = {} if threats is None else {"http/request": threats}
    return [point.threshold for point in raised(POINTS, harmless)["http/request"]["threat"].values()]


def test_without_enough_rows_the_points_stay() -> None:
    assert thresholds(None) == thresholds(np.full(298, 0.99)) == [0.5, 0.8, 0.9]


def test_quiet_rows_never_lower_a_point() -> None:
    assert thresholds(np.zeros(4000)) == [0.5, 0.8, 0.9]


def test_loud_rows_raise_the_points_that_they_support_and_the_stricter_ones_with_them() -> None:
    lax, middle, strict = thresholds(np.linspace(0, 1, 1000))
    assert 0.98 < lax < 1.0
    assert lax == middle == strict


def test_other_points_are_kept() -> None:
    after = raised(POINTS, {"http/request": np.ones(400)})
    assert after["dns/request"] == POINTS["dns/request"]
    assert after["http/request"]["scanner"] == POINTS["http/request"]["scanner"]

"""Figures as text."""

import pytest

from classifier.training.evaluation import cells
from classifier.training.evaluation.compare import Discord


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (cells.area((0.98765, 0.9, 1.0)), "0.9877 [0.900, 1.000]"),
        (cells.area(None), ""),
        (cells.signed((-0.01, -0.02, 0.0)), "-0.0100 [-0.0200, +0.0000]"),
        (cells.share(0.123456), "12.35 %"),
        (cells.share(None), ""),
        (cells.number(0.5), "0.5000"),
        (cells.short("path/to/m.onnx"), "m.onnx"),
        (cells.plain("*"), "all"),
        (cells.plain("urls:phishtank"), "phishtank"),
        (cells.plain("site"), "site"),
        (cells.plain("modern:json-api"), "json-api (modern)"),
        (cells.pair({"0.01": 0.5, "0.001": 0.25}, ("0.01", "0.001")), "0.500 / 0.250"),
        (cells.pair({}, ("0.01",)), ""),
        (cells.factor((1.5, 1.0, 2.5)), "(1.5 x [1, 2.5])"),
        (cells.factor((2.5, 1.0, 3.5)), "(2.5 x [1, 3.5])"),
        (cells.factor((12.5, 1.5, 350.0)), "(12 x [1.5, 350] !)"),
        (cells.factor(None), ""),
        (cells.interval(0.5, 0.25, 0.75), "0.500 [0.250, 0.750]"),
        (cells.interval(0.5, None, None), ""),
        (cells.discord(Discord(12, 3, 0.035)), "12 / 3 (p 0.035)"),
        (cells.discord(None), ""),
    ],
)
def test_a_cell(found: str, expected: str) -> None:
    assert found == expected

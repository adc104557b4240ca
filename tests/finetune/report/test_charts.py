"""Pictures: inline, well formed, nothing of a flow in them."""

from xml.etree import ElementTree

import numpy as np
import pytest

from classifier.records import Label
from finetune.gate import Gate, Judged
from finetune.report import charts


def rows(count: int = 40) -> Judged:
    hostile = np.arange(count) % 2 == 0
    threat = np.where(hostile, 0.9, 0.01)
    ranks = hostile.astype(np.int64)
    labels = [Label.SQLI if each else Label.BENIGN for each in hostile]
    return Judged(hostile, labels, [str(i) for i in range(count)], threat, threat / 2, ranks, ranks)


@pytest.mark.parametrize(
    ("name", "value", "low", "high", "limit"),
    [("base_auroc", 0.001, -0.001, 0.003, 0.002), ("sentinels", 1.0, 0.9, 1.0, 1.0), ("x", 0.0, 0.0, 0.0, 0.1)],
)
def test_a_bar_is_well_formed_and_on_its_canvas(name: str, value: float, low: float, high: float, limit: float) -> None:
    root = ElementTree.fromstring(charts.bar(Gate(name, True, value, low, high, limit)))
    for dot in root.iter("circle"):
        assert 0 <= float(dot.attrib["cx"]) <= charts.BAR


def test_what_was_not_judged_has_no_bar() -> None:
    assert charts.bar(Gate("x", True, 0.0, 0.0, 0.0, 0.0)) == ""


def test_curves_and_histograms_show_before_and_after() -> None:
    for svg in (charts.roc(rows(), "ROC"), charts.histogram(rows(), rows().hostile, "scores")):
        lines = [line.attrib["class"] for line in ElementTree.fromstring(svg).iter("polyline")]
        assert lines == ["before", "after"]


def test_one_class_alone_gives_no_curve() -> None:
    assert charts.drawable(rows()) and not charts.drawable(rows().take(rows().hostile))


def test_captions_are_escaped() -> None:
    assert "a &lt; b" in charts.pair([(charts.legend(), "a < b")])

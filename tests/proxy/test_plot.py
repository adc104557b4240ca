"""The page: one picture for each side that has days, nothing loaded, nothing unescaped."""

from xml.etree import ElementTree

import pytest

from classifier.drift import Day
from proxy.plot import page, picture

DAYS = [Day("request", "score", 86_400.0 * day, 0.05 * day, 1000) for day in range(1, 9)]


@pytest.mark.parametrize("days", [DAYS, DAYS[:1], [Day("request", "score", 0.0, 0.0, 1000)]])
def test_a_picture_is_well_formed_and_has_a_dot_a_day(days: list[Day]) -> None:
    root = ElementTree.fromstring(picture(days, "Index of <score>"))
    assert len([node for node in root if node.tag == "circle"]) == len(days)
    heights = [float(node.attrib["cy"]) for node in root if node.tag == "circle"]
    assert all(0 <= height <= 180 for height in heights)
    assert heights == sorted(heights, reverse=True)


def test_the_page_holds_text_and_pictures_and_loads_nothing() -> None:
    html = page("20260101-0123456789ab", ["GET <script>alert(1)</script>"], DAYS)
    assert html.count("<svg") == 1
    assert "<script" not in html and "&lt;script&gt;" in html
    assert "http" not in html and "src=" not in html


def test_without_a_day_it_says_so() -> None:
    assert "No day has enough traffic" in page("r", [], [])

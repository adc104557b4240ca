"""The page for a browser."""

import re
from pathlib import Path

from classifier.explain import Explanation, Span
from classifier.records import FlowRecord, Label
from classifier.training.evaluation.flipped import Flipped
from classifier.training.evaluation.page import Cases, write
from classifier.training.evaluation.worst import Error
from evaluations import JUDGEMENT, sample

RECORD = FlowRecord(path="/?q=<script>", label=Label.BENIGN)
WHY = Explanation(Label.XSS, 0.98, "r1", "threat", 0.98, (Span("query", 2, 10, "<script>", 0.9),), 0.08)
CASES = Cases(
    [Error("requests:a", "http", RECORD, 0.98, WHY), Error("b", "http", RECORD, 0.5)],
    [("m", "TF-IDF + LR", [Flipped("requests:a", RECORD, (0.9, 0.1), ("block", "allow"))])],
)


def _page(folder: Path) -> str:
    evaluation = sample()
    evaluation.systems[0].reports[1].source = "requests:<i>a"
    write(folder / "page.html", evaluation, JUDGEMENT, CASES)
    return (folder / "page.html").read_text("utf-8")


def test_the_page_stands_alone_and_escapes_names(tmp_path: Path) -> None:
    page = _page(tmp_path)
    assert "&lt;i&gt;a" in page
    assert "<i>a" not in page
    assert "data:image/png;base64," in page
    assert not re.search(r"https?://|<script|<link|@import|url\(", page)


def test_every_picture_says_how_it_is_read(tmp_path: Path) -> None:
    page = _page(tmp_path)
    assert page.count("<img") == page.count("<figcaption>") >= 4
    assert all(len(told) > 60 for told in re.findall(r"<figcaption>(.*?)</figcaption>", page))


def test_errors_show_what_carried_them(tmp_path: Path) -> None:
    page = _page(tmp_path)
    assert "<mark>&lt;script&gt;</mark>" in page
    assert "Carried by query <code>&lt;script&gt;</code> (0.90). Without: 0.0800." in page
    assert "false alarm" in page
    assert "block (0.9000) → allow (0.1000)" in page


def test_links_of_the_page_resolve(tmp_path: Path) -> None:
    page = _page(tmp_path)
    links = re.findall(r'href="#([^"]+)"', page)
    assert len(links) >= 6
    assert set(links) == set(re.findall(r'h2 id="([^"]+)"', page))

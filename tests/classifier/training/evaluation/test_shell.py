"""The frame of a page: nothing unescaped, nothing from elsewhere."""

from classifier.training.evaluation.shell import anchor, document, table
from classifier.training.evaluation.tables import Table


def test_a_page_stands_alone_and_links_to_its_sections() -> None:
    page = document("Title <b>", "Heading", "<p>intro</p>", [("First & last", "<p>one</p>")])
    assert '<a href="#first---last">First &amp; last</a>' in page and "Title &lt;b&gt;" in page
    assert "src=" not in page and "<script" not in page


def test_cells_are_escaped_and_verdicts_marked() -> None:
    found = table(Table("t", "how <to>", ("name", "met?"), [["<script>", "missed"], ["x", "met"]], 1))
    assert "&lt;script&gt;" in found and "how &lt;to&gt;" in found
    assert "class=missed" in found and "class=met" in found


def test_an_anchor_has_letters_and_digits_only() -> None:
    assert anchor("Base: 2 areas") == "base--2-areas"

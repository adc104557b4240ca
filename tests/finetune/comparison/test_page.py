from pathlib import Path

import msgspec

from comparisons import RESULT, info, row
from finetune.comparison import page


def test_the_page_needs_nothing_beside_it(tmp_path: Path) -> None:
    page.write(tmp_path / "index.html", RESULT, {"shop-false-positives": b"picture", "shop-labels": b"other"})
    html = (tmp_path / "index.html").read_text()
    assert html.count("data:image/png;base64,") == 2
    assert "where 95% of its hostile ones are caught (200 labels)" in html
    assert "Started from release <code>20260101-0123456789ab</code>, base rows from made-up traffic, 2 seeds" in html
    assert all(f'<h2 id="{site}">' in html for site in ("shop", "mail"))
    assert "http://" not in html
    assert 'src="/' not in html


def test_at_a_glance_is_times_fewer_by_site() -> None:
    glance = page.glance(RESULT)
    assert glance.headings == ("strategy", "shop", "mail", "base area lost")
    assert ["two-stage", "10.0", "10.0", "+0.20"] in glance.rows
    assert ["full+plain", "(0.25 !)", "(0.25 !)", "+0.20"] in glance.rows


def test_names_are_explained() -> None:
    assert {name for name, _ in page.meanings(RESULT).rows} == {
        "incumbent",
        "n-gram",
        "from-scratch",
        "two-stage",
        "full",
        "+plain",
    }


def test_a_site_is_escaped(tmp_path: Path) -> None:
    name = "<script>"
    strange = msgspec.structs.replace(RESULT, rows=[row(name)], sites=[info(name)])
    page.write(tmp_path / "index.html", strange, {})
    assert "<script>" not in (tmp_path / "index.html").read_text()

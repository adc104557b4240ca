"""Table, page and curves."""

from pathlib import Path

import numpy as np
import pytest

from classifier.records import Label
from classifier.training.measure import Judgement, SourceReport
from classifier.training.report import curve, curves, show, write_html

JUDGEMENT = Judgement(
    ["a"] * 40,
    ["http"] * 40,
    [Label.BENIGN] * 20 + [Label.XSS] * 20,
    ["http/request"] * 40,
    {"m": np.repeat(np.linspace(0, 1, 40)[:, None], 3, axis=1)},
)
REPORT = SourceReport("<b>a", "http", "threat", 20, 20, "own", (0.987654, 0.9, 1.0), {"0.01": 0.5}, {"0.01": 0.25})


def test_the_table_shows_the_figures(capsys: pytest.CaptureFixture[str]) -> None:
    show({"path/to/m": [REPORT]})
    shown = capsys.readouterr().out
    for part in ("<b>a", "http threat", "0.9877 0.900…1.000", "50.00 %", "25.00 %", " m "):
        assert part in shown


def test_the_page_stands_alone_and_escapes_names(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_html(path, {"m": [REPORT]}, JUDGEMENT)
    page = path.read_text("utf-8")
    assert "&lt;b&gt;a" in page
    assert "<b>a" not in page
    assert "data:image/png;base64," in page
    assert "http://" not in page
    assert "https://" not in page


def test_curves_are_drawn_for_families_with_both_classes() -> None:
    ((family, image),) = curves(JUDGEMENT)
    assert family == "http"
    assert image.startswith(b"\x89PNG")
    assert list(curves(JUDGEMENT._replace(labels=[Label.BENIGN] * 40))) == []


def test_a_curve_rises_to_all() -> None:
    rates, shares = curve(np.linspace(0, 0.6, 500), np.linspace(0.5, 1, 50))
    assert rates[0] == pytest.approx(1e-4)
    assert (np.diff(shares) >= 0).all()
    assert shares[0] == pytest.approx(0.8)
    assert shares[-1] == 1.0

"""The pictures."""

import numpy as np
import pytest

from classifier.records import LABELS, Label
from classifier.training.evaluation import plots
from evaluations import JUDGEMENT, sample

PNG = b"\x89PNG"


def test_curves_are_drawn_for_families_with_both_classes() -> None:
    ((family, image),) = plots.curves(JUDGEMENT)
    assert family == "http"
    assert image.startswith(PNG)
    assert list(plots.curves(JUDGEMENT._replace(labels=[Label.BENIGN] * 40))) == []


def test_a_system_that_judged_nothing_has_no_curve() -> None:
    scores = JUDGEMENT.scores | {"crs": np.full((40, 3), np.nan)}
    assert len(list(plots.curves(JUDGEMENT._replace(scores=scores)))) == 1


def test_a_curve_rises_to_all() -> None:
    rates, shares = plots.curve(np.linspace(0, 0.6, 500), np.linspace(0.5, 1, 50))
    assert rates[0] == pytest.approx(1e-4)
    assert (np.diff(shares) >= 0).all()
    assert shares[0] == pytest.approx(0.8)
    assert shares[-1] == 1.0


def test_a_line_is_thinned_between_its_ends() -> None:
    x, y = plots.thin(np.arange(5000.0), np.arange(5000.0))
    assert (x[0], x[-1], len(x)) == (0, 4999, plots.POINTS)
    assert (x == y).all()
    assert len(plots.thin(np.zeros(0), np.zeros(0))[0]) == 0


def test_reliability_needs_both_classes() -> None:
    image = plots.reliability(JUDGEMENT, "m")
    assert image
    assert image.startswith(PNG)
    assert plots.reliability(JUDGEMENT._replace(labels=[Label.XSS] * 40), "m") is None


def test_the_confusion_matrix_is_drawn() -> None:
    assert plots.confusion({"sqli": {"sqli": 9, "xss": 1}}, [str(label) for label in LABELS]).startswith(PNG)


def test_bars_show_what_rewriting_leaves() -> None:
    image = plots.evasions(sample().evasions, "own 0.01")
    assert image
    assert image.startswith(PNG)
    assert plots.evasions(sample().evasions, "own 0.0001") is None

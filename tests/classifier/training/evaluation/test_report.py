"""What the terminal shows."""

import pytest

from classifier.training.evaluation.figures import Evaluation
from classifier.training.evaluation.report import show
from evaluations import sample


def test_the_tables_show_the_figures(capsys: pytest.CaptureFixture[str]) -> None:
    evaluation = sample()
    evaluation.systems[0].reports[1].source = "<b>[red]a"
    show(evaluation)
    shown = capsys.readouterr().out
    for part in ("<b>[red]a", "AUROC", "0.9000 [0.800, 1.000]", "50.00 %", "TF-IDF + LR", "case", "no host", "missed"):
        assert part in shown


def test_an_evaluation_without_extras_shows_no_empty_tables(capsys: pytest.CaptureFixture[str]) -> None:
    evaluation = Evaluation(600, 0, sample().systems[1:])
    show(evaluation)
    shown = capsys.readouterr().out
    assert "TF-IDF + LR" in shown
    assert "Evasions" not in shown
    assert "Targets" not in shown

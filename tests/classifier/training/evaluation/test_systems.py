"""A release scores as it is served."""

from pathlib import Path

import pytest

from classifier.errors import UserError
from classifier.records import FlowRecord, Label
from classifier.training.evaluation.systems import Served
from models import tiny_model

QUOTES = FlowRecord(host="a.example", path="/?q=''''")
PLAIN = FlowRecord(host="a.example", path="/")


def test_columns_are_threat_scanner_tracker(tmp_path: Path) -> None:
    served = Served.load(str(tiny_model(tmp_path / "m.onnx")), tmp_path)
    scores = served.score([PLAIN, QUOTES])
    assert scores.shape == (2, 3)
    assert scores[1, 0] > 0.99 > 0.1 > scores[0, 0]
    assert (scores[:, 1] >= scores[:, 0]).all()


def test_a_probe_counts_as_scanner_and_not_as_threat(tmp_path: Path) -> None:
    served = Served.load(str(tiny_model(tmp_path / "m.onnx", label=Label.SCANNER)), tmp_path)
    threat, scanner, _ = served.score([QUOTES])[0]
    assert threat < 0.1
    assert scanner > 0.9


def test_nothing_to_score_is_fine(tmp_path: Path) -> None:
    assert Served.load(str(tiny_model(tmp_path / "m.onnx")), tmp_path).score([]).shape == (0, 3)


def test_an_unknown_release_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError):
        Served.load("20200101-nosuch", tmp_path)

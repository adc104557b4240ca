"""The model card is what the evaluation and the model file say."""

import re

import pytest

from classifier.artifact import read_card
from classifier.card import ModelCard, OperatingPoint
from classifier.registry import MODEL, base
from classifier.training.evaluation.card import PROSE, markdown, points, render
from classifier.training.evaluation.figures import Evaluation, decode
from classifier.training.evaluation.tables import Table
from evaluations import sample
from needs import ROOT

CARD = ModelCard(
    schema="x",
    labels=["benign"],
    created="2026-01-31T00:00:00+00:00",
    method="base training, seed 0, 1 epochs",
    data={"requests": "8e81dc39b99540dcd1c6", "dns": "ed479c8c016b4486b0d4"},
    metrics={"loss": 0.123456, "rows": 1000, "by_part": {"a": 1}},
    notes="Held out: requests: one, two; dns: three",
    operating_points={"http/request": {"threat": {"0.01": OperatingPoint(0.8136, 0.0099)}}},
)


@pytest.mark.parametrize(
    "told",
    [
        "Release `r1`",
        "`model.onnx` is 4.6 MB; a request of the evaluation takes 150 µs",
        "| requests | `http/requests.parquet` | `8e81dc39b99540dc…` | one, two |",
        "Base training, seed 0, 1 epochs, 2026-01-31. As training reports it: loss 0.1235, rows 1,000.",
        "| http/request | 0.8136 (≤ 0.0099) |  |  |",
        "sluice evaluate --corpus DIR --baseline --baseline-rows 1000 --evasions --json FILE",
        "600 flows",
        "fitted to the first 1,000 of the same shuffled rows",
        "| a target | ≥ 1 | worst of 2: 0.5 (a) | missed | a 0.5 |",
        "### Requests (whole requests",
        "### Request against response",
        "### Evasions",
    ],
)
def test_the_card_says(told: str) -> None:
    assert told in render(sample(), CARD)


def test_every_hole_of_the_prose_is_filled() -> None:
    assert "{{" in PROSE.read_text("utf-8")
    assert "{{" not in render(sample(), CARD)
    assert "{{" not in render(Evaluation(3, 0, sample().systems[1:]), CARD)


def test_the_prose_holds_no_figure_of_a_result() -> None:
    """A number that an evaluation could change must come from one."""
    prose = PROSE.read_text("utf-8")
    assert re.findall(r"\d+[.,]\d+|\d+ %", prose.replace("95 % bound", "")) == []


def test_a_table_in_markdown() -> None:
    assert markdown(Table("", "", ["a", "b"], [["x|y", "1"]])) == "| a | b |\n| --- | --- |\n| x\\|y | 1 |"
    assert markdown(Table("", "", ["a"], [])) == ""


def test_kinds_without_a_point_have_an_empty_cell() -> None:
    assert points(CARD).rows == [["http/request", "0.8136 (≤ 0.0099)", "", ""]]


def test_the_committed_card_is_that_of_the_committed_evaluation() -> None:
    committed = (ROOT / "MODEL_CARD.md").read_text("utf-8")
    evaluation = decode(ROOT / "docs/evaluation/base.json")
    assert committed == render(evaluation, read_card(base() / MODEL))


def test_a_card_can_be_made_of_what_is_committed() -> None:
    evaluation = decode(ROOT / "docs/evaluation/base.json")
    assert f"Release `{evaluation.systems[0].release}`" in render(evaluation, read_card(base() / MODEL))

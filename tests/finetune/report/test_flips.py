"""Flows that are treated differently now."""

import numpy as np

from classifier.features import extract
from classifier.records import FlowRecord, Label
from finetune.gate import Judged
from finetune.judging import Paper
from finetune.report import flips

RECORDS = [FlowRecord(method="GET", host="h.example", path=f"/{n}?q=<script>alert({n})</script>") for n in range(4)]
PAPER = Paper(RECORDS, [extract(r) for r in RECORDS], [Label.BENIGN, Label.BENIGN, Label.XSS, Label.XSS], list("abcd"))
ROWS = Judged(
    PAPER.hostile,
    PAPER.labels,
    PAPER.groups,
    np.array([0.1, 0.9, 0.9, 0.1]),
    np.array([0.9, 0.1, 0.1, 0.9]),
    np.array([0, 2, 1, 0]),
    np.array([1, 0, 0, 2]),
)


def test_the_four_kinds_of_change_are_counted_and_shown() -> None:
    assert [(kind.flows, kind.of, kind.examples[0].ranks) for kind in flips.kinds(PAPER, ROWS)] == [
        (1, 2, (0, 1)),
        (1, 2, (1, 0)),
        (1, 2, (2, 0)),
        (1, 2, (0, 2)),
    ]


def test_nothing_of_a_flow_is_written_unescaped() -> None:
    for kind in flips.kinds(PAPER, ROWS):
        html = flips.shown(kind.examples[0])
        assert "<script" not in html and "&lt;script&gt;" in html

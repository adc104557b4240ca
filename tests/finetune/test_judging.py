"""Rows as a served model sees them."""

from pathlib import Path

import pytest

from classifier.artifact import Model
from classifier.features import extract
from classifier.records import FlowRecord, Label
from classifier.thresholds import BLOCK_AT, Limits
from finetune.judging import RANKS, Judge, Paper, Policy, Remembering, compare
from models import points, tiny_model


def paper(*rows: tuple[str, Label]) -> Paper:
    records = [FlowRecord(method="GET", path=path) for path, _ in rows]
    labels = [label for _, label in rows]
    return Paper(records, [extract(record) for record in records], labels, [path for path, _ in rows])


@pytest.fixture
def judge(tmp_path: Path) -> Judge:
    return Judge(Model.load(tiny_model(tmp_path / "m.onnx"), "cpu"))


def test_an_opinion_is_a_threat_and_what_the_thresholds_make_of_it(judge: Judge) -> None:
    rows = paper(("/calm", Label.BENIGN), ("/o'clock", Label.SQLI))
    threats, ranks = judge.opinion(rows.records, rows.features)
    assert threats[0] < 0.1 < 0.9 < threats[1] and ranks.tolist() == [RANKS["allow"], RANKS["block"]]


def test_other_points_than_the_cards_may_be_judged_by(tmp_path: Path) -> None:
    model = Model.load(tiny_model(tmp_path / "m.onnx"), "cpu")
    rows = paper(("/o'clock", Label.SQLI))
    assert Judge(model, {}).opinion(rows.records, rows.features)[1].tolist() == [RANKS["allow"]]
    assert Judge(model).points == points()


def test_a_paper_knows_its_hostile_rows_and_can_be_cut_and_joined() -> None:
    rows = paper(("/a", Label.BENIGN), ("/b", Label.SQLI), ("/c", Label.SCANNER))
    assert rows.hostile.tolist() == [False, True, False]
    joined = rows.take([2, 0]).join(rows.take([1]))
    assert joined.groups == ["/c", "/a", "/b"] and joined.labels == [Label.SCANNER, Label.BENIGN, Label.SQLI]


def test_two_models_are_compared_on_the_same_rows(judge: Judge, tmp_path: Path) -> None:
    blind = Judge(Model.load(tiny_model(tmp_path / "blind.onnx", weight=0.0), "cpu"))
    found = compare(paper(("/o'clock", Label.SQLI)), judge, blind)
    assert (found.rank_before.tolist(), found.rank_after.tolist()) == ([2], [0])
    assert found.threat_before[0] > found.threat_after[0] and found.hostile.tolist() == [True]


def test_an_operators_thresholds_come_over_the_models_own(tmp_path: Path) -> None:
    model = Model.load(tiny_model(tmp_path / "m.onnx"), "cpu")
    policy = Policy({"default": {"threat": Limits(flag=2.0, block=2.0)}}, BLOCK_AT)
    rows = paper(("/o'clock", Label.SQLI))
    assert Judge(model, policy=policy).opinion(rows.records, rows.features)[1].tolist() == [RANKS["allow"]]


def test_a_remembering_judge_looks_once(tmp_path: Path) -> None:
    judge = Remembering(Model.load(tiny_model(tmp_path / "m.onnx"), "cpu"))
    rows = paper(("/o'clock", Label.SQLI))
    assert judge.verdicts(rows.features) is judge.verdicts(rows.features)
    assert judge.verdicts(list(rows.features)) is not judge.verdicts(rows.features)

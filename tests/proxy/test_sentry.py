"""What the sentinels say of a release, by table."""

from pathlib import Path

import pytest

from classifier.artifact import Model
from classifier.records import FlowRecord, Label
from classifier.sentinels import sentinels
from classifier.thresholds import Thresholds
from models import tiny_model
from proxy.policy import Exemption, Match, Policy
from proxy.sentry import Sentry, Side, objection

QUOTED = FlowRecord(id="s:1", host="a.example", method="GET", path="/?q='", label=Label.SQLI)
PLAIN = FlowRecord(id="s:2", host="a.example", method="GET", path="/?q=1", label=Label.XSS)
POISONED = FlowRecord(id="s:3", host="a.example", method="GET", path="/?q='" + "~" * 20, label=Label.SQLI)


def side(folder: Path, name: str, **model: float | bool) -> Side:
    made = Model.load(tiny_model(folder / name, **model))  # type: ignore[arg-type]
    return Side(made, Policy(Thresholds(made.card.operating_points)))


@pytest.mark.parametrize(
    ("weight", "missed"),
    [
        (16.0, []),
        (0.1, ["s:1", "s:3"]),  # the plain one is missed by both
    ],
)
def test_only_what_the_release_in_service_catches_counts(tmp_path: Path, weight: float, missed: list[str]) -> None:
    found = Sentry([QUOTED, PLAIN, POISONED]).missed(
        side(tmp_path, "a.onnx", weight=weight), side(tmp_path, "b.onnx", weight=16.0)
    )
    assert [record.id for record in found] == missed


def test_what_cannot_be_judged_is_missed(tmp_path: Path) -> None:
    failing, serving = side(tmp_path, "a.onnx", nan_on_poison=True), side(tmp_path, "b.onnx")
    sentry = Sentry([QUOTED, POISONED])
    assert [record.id for record in sentry.missed(failing, serving)] == ["s:3"]
    assert sentry.missed(serving, failing) == []


def test_a_rule_of_the_operator_counts_for_both(tmp_path: Path) -> None:
    model, serving = side(tmp_path, "a.onnx", weight=0.1).model, side(tmp_path, "b.onnx").model
    spare = Exemption("e", Match(paths=("/",)), "ops", "why")
    sides = [
        Side(made, Policy(Thresholds(made.card.operating_points), exemptions=[spare])) for made in (model, serving)
    ]
    assert Sentry([QUOTED]).missed(*sides) == []


def test_the_objection_names_one(tmp_path: Path) -> None:
    assert objection([]) == ""
    said = objection([QUOTED, PLAIN])
    assert said == "misses 2 known attacks that the release in service catches, sqli (s:1) for one"


def test_the_shipped_ones_are_judged_too(tmp_path: Path) -> None:
    found = Sentry(sentinels()).missed(side(tmp_path, "a.onnx", weight=0.1), side(tmp_path, "b.onnx"))
    assert found and {record.label for record in found} <= set(Label)

"""Flows that two releases treat differently."""

from pathlib import Path

import pytest

from classifier.records import FlowRecord, Label
from classifier.training.evaluation.flipped import Flips
from classifier.training.evaluation.measure import Example, judge
from classifier.training.evaluation.systems import Served
from models import tiny_model

SECRET = "hunter2hunter2"


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Served, Served]:
    eager, slow = (str(tiny_model(tmp_path / f"{weight}.onnx", weight=weight)) for weight in (16.0, 5.0))
    return Served.load(eager, tmp_path), Served.load(slow, tmp_path)


def test_the_largest_differences_are_kept_masked(pair: tuple[Served, Served]) -> None:
    paths = ["/", f"/?password={SECRET}&q='", "/?q=''''''"]
    flows = [Example("a", "http", FlowRecord(path=path, label=Label.SQLI)) for path in paths]
    watcher = Flips(*pair)
    judge(flows, pair, watchers=[watcher])
    (found,) = watcher.flows()
    assert found.actions == ("block", "allow")
    assert found.threats[0] > 0.99 > 0.5 > found.threats[1]
    assert SECRET not in found.record.path


def test_no_more_than_asked_for(pair: tuple[Served, Served]) -> None:
    watcher = Flips(*pair, size=2)
    flow = Example("a", "http", FlowRecord(path="/?q='", label=Label.BENIGN))
    judge([flow] * 5, pair, watchers=[watcher])
    assert len(watcher.flows()) == 2


def test_alike_releases_flip_nothing(pair: tuple[Served, Served]) -> None:
    watcher = Flips(pair[0], pair[0])
    judge([Example("a", "http", FlowRecord(path="/?q='", label=Label.BENIGN))], [pair[0]], watchers=[watcher])
    assert watcher.flows() == []

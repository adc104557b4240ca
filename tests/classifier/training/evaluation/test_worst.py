"""The worst errors, masked and explained."""

from pathlib import Path

import pytest

from classifier.records import FlowRecord, Label
from classifier.training.evaluation.measure import Example, judge
from classifier.training.evaluation.systems import Served
from classifier.training.evaluation.worst import OF_ONE, Error, Worst
from models import tiny_model

SECRET = "hunter2hunter2"


@pytest.fixture
def served(tmp_path: Path) -> Served:
    return Served.load(str(tiny_model(tmp_path / "m.onnx")), tmp_path)


def _errors(served: Served, flows: list[Example], size: int = 10) -> list[Error]:
    watcher = Worst(served, size)
    judge(flows, [served], watchers=[watcher])
    return watcher.errors()


def _flow(path: str, label: Label, source: str = "a") -> Example:
    return Example(source, "http", FlowRecord(path=path, label=label))


def test_false_alarms_come_first_then_what_was_missed(served: Served) -> None:
    flows = [
        *(_flow("/?a='''", Label.BENIGN), _flow("/", Label.BENIGN, "b"), _flow("/x", Label.SQLI)),
        *(_flow("/?'''", Label.SQLI, "b"), _flow("/y", Label.SCANNER)),
    ]
    found = _errors(served, flows)
    assert [(each.harmless, each.record.path) for each in found] == [
        (True, "/?a='''"),
        (True, "/"),
        (False, "/x"),
        (False, "/?'''"),
    ]
    assert found[0].threat > 0.99
    assert found[2].threat < 0.1


def test_no_source_fills_the_list_and_nothing_stands_twice(served: Served) -> None:
    flows = [_flow(f"/{number}?'", Label.BENIGN) for number in range(20)]
    flows += [_flow("/?'", Label.BENIGN, "b")] * 3
    assert [each.source for each in _errors(served, flows, 40)].count("a") == OF_ONE
    assert [each.source for each in _errors(served, flows, 40)].count("b") == 1


def test_errors_are_masked_and_explained(served: Served) -> None:
    (found,) = _errors(served, [_flow(f"/?password={SECRET}&q='''", Label.BENIGN)])
    assert SECRET not in found.record.path
    assert found.explanation
    assert found.explanation.label is Label.SQLI
    assert found.explanation.threat == pytest.approx(found.threat, abs=1e-6)
    assert "'" in "".join(span.text for span in found.explanation.spans)

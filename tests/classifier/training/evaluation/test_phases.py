"""The response phase against the request phase."""

from pathlib import Path

import pytest

from classifier.records import FlowRecord, Label
from classifier.training.evaluation.measure import Example, judge
from classifier.training.evaluation.phases import Phases, hide
from classifier.training.evaluation.systems import Served
from models import tiny_model


@pytest.fixture
def served(tmp_path: Path) -> Served:
    return Served.load(str(tiny_model(tmp_path / "m.onnx")), tmp_path)


def _answered(body: bytes, label: Label, source: str = "transactions:a") -> Example:
    record = FlowRecord(
        phase="response", path="/", status=200, response_headers=(("Server", "x"),), response_body=body, label=label
    )
    return Example(source, "flows", record)


def test_what_only_the_answer_shows_is_a_gain(served: Served) -> None:
    flows = [_answered(b"fine", Label.BENIGN)] * 20 + [_answered(b"''''", Label.C2)] * 20
    watcher = Phases([served])
    judge(flows, [served], watchers=[watcher])
    found = {(report.source, report.what): report for report in watcher.reports(served)}
    assert found.keys() == {(source, what) for source in ("*", "transactions:a") for what in ("threat", "c2")}
    report = found[("transactions:a", "c2")]
    assert (report.positives, report.negatives, report.against) == (20, 20, "own")
    assert report.request[0] == 0.5
    assert report.response[0] == 1.0
    assert report.gain == (0.5, 0.5, 0.5)


def test_a_source_without_harmless_flows_is_held_against_the_others(served: Served) -> None:
    flows = [_answered(b"fine", Label.BENIGN, "transactions:b")] * 20 + [_answered(b"''''", Label.MALWARE)] * 3
    watcher = Phases([served])
    judge(flows, [served], watchers=[watcher])
    found = {(report.source, report.what): report for report in watcher.reports(served)}
    assert found[("transactions:a", "malware")].against == "family"
    assert ("transactions:b", "threat") not in found


def test_flows_without_an_answer_are_left_alone(served: Served) -> None:
    watcher = Phases([served])
    judge([Example("transactions:a", "flows", FlowRecord(path="/", label=Label.C2))], [served], watchers=[watcher])
    assert watcher.reports(served) == []


def test_what_tells_the_capture_is_hidden() -> None:
    record = FlowRecord(
        phase="response",
        host="192.0.2.7",
        port=8080,
        time=1.5e9,
        client="198.51.100.1",
        http_version="HTTP/1.0",
        path="/a?b=1",
        request_headers=(("Host", "192.0.2.7:8080"), ("User-Agent", "x")),
        status=200,
        response_headers=(("Server", "nginx"), ("Date", "Mon"), ("Content-Type", "text/html")),
        response_body=b"<html>",
        bytes_down=7,
        seconds=0.2,
    )
    assert hide(record) == FlowRecord(
        phase="response",
        path="/a?b=1",
        request_headers=(("User-Agent", "x"),),
        status=200,
        response_headers=(("Content-Type", "text/html"),),
        response_body=b"<html>",
    )
    assert hide(FlowRecord(host="a.example", path="/")).host == "a.example"

"""Reading labelled flows, and judging them in one pass."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from classifier.card import OperatingPoint, OperatingPoints
from classifier.evaluate import Floats
from classifier.importers import BadLine
from classifier.records import LABELS, FlowRecord, Label
from classifier.training.evaluation.measure import TARGETS, Example, family, judge, read
from classifier.training.evaluation.systems import Served
from models import tiny_model


class Port:
    """A system that says what the record's port says, in thousandths."""

    def __init__(self) -> None:
        self.name, self.release = "port", "r1"
        self.points: OperatingPoints = {"http/request": {"threat": {"0.01": OperatingPoint(0.5, 0.01)}}}

    def score(self, records: Sequence[FlowRecord]) -> Floats:
        return np.asarray([[record.port / 1000] * len(TARGETS) for record in records], np.float64).reshape(-1, 3)


def _examples(source: str, label: Label, ports: Sequence[int], family: str = "http") -> list[Example]:
    return [Example(source, family, FlowRecord(host="a.example", path="/", port=port, label=label)) for port in ports]


@pytest.mark.parametrize(
    ("source", "record", "expected"),
    [
        ("requests:x", FlowRecord(host="a.example", path="/"), "http"),
        ("modern:json", FlowRecord(host="a.example", path="/"), "http"),
        ("handshakes:x", FlowRecord(kind="tls", phase="connect", sni="a.example"), "tls"),
        ("urls:x", FlowRecord(host="a.example", path="/"), "url"),
        ("urls:x", FlowRecord(host="a.example", phase="connect"), "domain"),
        ("file", FlowRecord(path="/?q=1", request_headers=(("A", "b"),), host="a.example"), "http"),
        ("file", FlowRecord(path="/?q=1"), "http"),
        ("file", FlowRecord(kind="dns", qname="a.example"), "dns"),
        ("file", FlowRecord(host="a.example", status=200, phase="response"), "flows"),
        ("file", FlowRecord(kind="websocket", host="a.example", message=b"x"), "http"),
    ],
)
def test_family_by_table(source: str, record: FlowRecord, expected: str) -> None:
    assert family(source, record) == expected


def test_reading_names_what_it_leaves_out(tmp_path: Path) -> None:
    path = tmp_path / "site.jsonl"
    lines = ['{"host": "a.example", "label": "benign"}', '{"host": "b.example", "label": "c2", "source": "s"}']
    path.write_text("\n".join([*lines, "{", '{"host": "c.example"}', '{"label": "nonsense"}', "[]"]) + "\n")
    bad: list[BadLine] = []
    found = list(read([path], bad))
    assert [(example.source, example.record.label) for example in found] == [("site", "benign"), ("s", "c2")]
    assert [line.where for line in bad] == [f"{path}:{number}" for number in (3, 4, 5, 6)]
    assert bad[1].reason == "has no label"


def test_a_judgement_has_a_row_for_each_flow_and_is_watched() -> None:
    seen: list[tuple[int, list[str]]] = []
    examples = _examples("a", Label.XSS, [100, 900])
    found = judge(examples, [Port()], watchers=[lambda chunk, scores: seen.append((len(chunk), list(scores)))])
    assert (found.sources, found.families, found.labels) == (["a", "a"], ["http", "http"], [Label.XSS, Label.XSS])
    assert found.keys == ["http/request"] * 2
    assert found.scores["port"][:, 0].tolist() == [0.1, 0.9]
    assert found.guesses == {}
    assert seen == [(2, ["port"])]


def test_a_release_names_labels(tmp_path: Path) -> None:
    served = Served.load(str(tiny_model(tmp_path / "m.onnx")), tmp_path)
    flows = [Example("a", "http", FlowRecord(path=path, label=Label.SQLI)) for path in ("/", "/?q=''''")]
    found = judge(flows, [served])
    assert [LABELS[index] for index in found.guesses[served.name]] == [Label.BENIGN, Label.SQLI]
    assert found.scores[served.name].tolist() == served.score([flow.record for flow in flows]).tolist()


def test_nothing_gives_nothing() -> None:
    assert judge([], [Port()]).scores["port"].shape == (0, len(TARGETS))

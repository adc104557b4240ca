"""Reading labelled flows, and what is held against what."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from classifier.card import OperatingPoint, OperatingPoints
from classifier.evaluate import Floats
from classifier.importers import BadLine
from classifier.records import FlowRecord, Label
from classifier.training.measure import TARGETS, Example, SourceReport, encode, family, judge, read, reports


class Port:
    """A system that says what the record's port says, in thousandths."""

    def __init__(self) -> None:
        self.name, self.release = "port", "r1"
        self.points: OperatingPoints = {"http/request": {"threat": {"0.01": OperatingPoint(0.5, 0.01)}}}

    def score(self, records: Sequence[FlowRecord]) -> Floats:
        return np.asarray([[record.port / 1000] * len(TARGETS) for record in records], np.float64).reshape(-1, 3)


def _examples(source: str, label: Label, ports: Sequence[int], family: str = "http") -> list[Example]:
    return [Example(source, family, FlowRecord(host="a.example", path="/", port=port, label=label)) for port in ports]


def _by_source(examples: list[Example]) -> dict[tuple[str, str], SourceReport]:
    system = Port()
    return {(report.source, report.target): report for report in reports(judge(examples, [system]), system)}


def test_a_source_with_both_classes_is_judged_by_itself() -> None:
    examples = _examples("a", Label.BENIGN, range(0, 400, 20)) + _examples("a", Label.SQLI, range(600, 1000, 20))
    report = _by_source(examples + _examples("b", Label.BENIGN, [999] * 50))[("a", "threat")]
    assert (report.against, report.positives, report.negatives) == ("own", 20, 20)
    assert report.auroc == (1.0, 1.0, 1.0)
    assert report.tpr == {"0.01": 0.0, "0.001": 0.0}  # b's harmless flows are of the family too
    assert report.flagged == {"0.01": 0.0}
    assert report.found == {"0.01": 1.0}


def test_a_source_with_one_class_is_held_against_its_family() -> None:
    examples = (
        _examples("good", Label.BENIGN, range(100, 300))
        + _examples("bad", Label.XSS, range(250, 450))
        + _examples("elsewhere", Label.BENIGN, [999] * 20, "url")
    )
    found = _by_source(examples)
    assert found[("good", "threat")].against == found[("bad", "threat")].against == "family"
    assert found[("good", "threat")].auroc == found[("bad", "threat")].auroc
    area = found[("bad", "threat")].auroc
    assert area is not None
    assert 0.9 < area[0] < 1.0
    assert found[("elsewhere", "threat")].auroc is None


def test_probes_and_trackers_are_targets_of_their_own() -> None:
    examples = (
        _examples("a", Label.BENIGN, range(100, 200))
        + _examples("a", Label.SCANNER, range(300, 400))
        + _examples("a", Label.TRACKER, range(150, 250))
    )
    found = _by_source(examples)
    assert found[("a", "scanner")].positives == found[("a", "tracker")].positives == 100
    assert found[("a", "threat")].positives == 0
    assert found[("a", "scanner")].flagged == {}


def test_a_family_is_reported_as_a_whole() -> None:
    examples = _examples("a", Label.BENIGN, range(100)) + _examples("b", Label.C2, range(50, 150))
    whole = _by_source(examples)[("*", "threat")]
    assert (whole.positives, whole.negatives, whole.against) == (100, 100, "own")


@pytest.mark.parametrize(
    ("source", "record", "expected"),
    [
        ("requests:x", FlowRecord(host="a.example", path="/"), "http"),
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


def test_json_is_stable() -> None:
    system = Port()
    judgement = judge(_examples("a", Label.BENIGN, range(20)), [system])
    found = reports(judgement, system)
    told = json.loads(encode([(system, found)], 20, 1))
    assert (told["rows"], told["skipped"]) == (20, 1)
    assert told["systems"][0]["name"] == "port"
    assert told["systems"][0]["release"] == "r1"
    assert set(told["systems"][0]["reports"][0]) == set(SourceReport.__struct_fields__)
    assert encode([(system, found)], 20, 1) == encode([(system, reports(judgement, system))], 20, 1)


def test_nothing_gives_nothing() -> None:
    assert reports(judge([], [Port()]), Port()) == []

"""What rows wear is lent to hostile and harmless ones alike."""

import random
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote_plus

import pytest

from classifier.features import extract
from classifier.records import FlowRecord, Label
from classifier.training import wardrobe
from classifier.training.arrays import build
from classifier.training.corpus import Row
from classifier.training.wardrobe import Wardrobe, asked, carried

ATTACK = "1' union select password from users-- -"


def _row(record: FlowRecord, label: Label, source: str, **changes: Any) -> Row:
    return Row(record, (label,), 1.0, source, "train")._replace(**changes)


def _plain() -> Iterator[Row]:
    for n in range(40):
        value = FlowRecord(message=f"value number {n} of a shop".encode(), label=Label.BENIGN)
        yield _row(value, Label.BENIGN, "payloads:harmless", carried=True)
        record = FlowRecord(
            method="GET",
            host=f"h{n}.example",
            path=f"/p?id={n}",
            request_headers=(("User-Agent", "Browser/1"),),
            status=200,
            response_headers=(("Server", "harmless"),),
            response_body=b"<h1>Hello</h1>",
            phase="response",
            label=Label.BENIGN,
        )
        yield _row(record, Label.BENIGN, "transactions:harmless")
        beacon = FlowRecord(
            host="c.example",
            path="/gate",
            status=200,
            response_headers=(("Server", "station"),),
            response_body=b"ok" if n % 2 else b"MZ program",
            phase="response",
            label=Label.C2,
        )
        yield _row(beacon, Label.C2, "transactions:hostile")


@pytest.fixture
def wardrobe_of_some() -> Wardrobe:
    return Wardrobe(list(_plain()), random.Random(0), padded=0.0)


@pytest.fixture
def padding_wardrobe() -> Wardrobe:
    return Wardrobe(list(_plain()), random.Random(0), padded=1.0)


def test_a_padded_attack_keeps_the_window_that_holds_it(
    padding_wardrobe: Wardrobe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wardrobe, "REWRITTEN", 0.0)
    rng = random.Random(3)
    record = FlowRecord(method="GET", path=f"/shop?q={quote_plus(ATTACK)}", label=Label.SQLI)
    worn = [padding_wardrobe.wear(_row(record, Label.SQLI, "requests:some"), rng) for _ in range(60)]
    long = [row for row in worn if len(extract(row.record).tokens) > 1]
    assert len(long) > 20 and all(row.evidence for row in worn)
    for row in long:
        kept = bytes((build([row], workers=0).tokens & 255).astype("uint8"))
        assert b"union select" in kept


def test_harmless_rows_are_padded_too_and_some_name_their_value(padding_wardrobe: Wardrobe) -> None:
    rng = random.Random(4)
    record = FlowRecord(method="GET", path="/shop?q=it%27s+%3Cred%3E", label=Label.BENIGN)
    worn = [padding_wardrobe.wear(_row(record, Label.BENIGN, "requests:some"), rng) for _ in range(60)]
    assert sum(len(row.record.path) > 500 for row in worn) > 20
    assert 10 < sum(bool(row.evidence) for row in worn) < 50


def test_an_answer_is_lent_by_harmless_flows_and_only_to_what_has_none(wardrobe_of_some: Wardrobe) -> None:
    rng = random.Random(5)
    bare = _row(FlowRecord(method="GET", host="a.example", path="/x", label=Label.XSS), Label.XSS, "requests:some")
    worn = [wardrobe_of_some.wear(bare, rng).record for _ in range(200)]
    answered = [record for record in worn if record.phase == "response"]
    assert 10 < len(answered) < 60
    assert {record.response_headers for record in answered} == {(("Server", "harmless"),)}
    for row in [row for row in _plain() if row.record.status]:
        own = wardrobe_of_some.wear(row, rng).record
        assert own.response_headers in ((), row.record.response_headers)


def test_a_bare_name_takes_every_form(wardrobe_of_some: Wardrobe) -> None:
    row = _row(FlowRecord(host="a.example", phase="connect"), Label.BENIGN, "urls:some")
    found = {wardrobe_of_some.wear(row, random.Random(seed)).record for seed in range(40)}
    assert {(each.kind, each.phase) for each in found} == {
        *(("http", "connect"), ("http", "request"), ("tls", "connect"), ("dns", "request"))
    }
    assert {each.site for each in found} == {"a.example"}


def test_a_value_is_carried_with_its_label() -> None:
    row = _row(FlowRecord(message=b"<b>", label=Label.XSS), Label.XSS, "payloads:some", carried=True)
    record = carried(row, random.Random(0), None)
    assert record.label is Label.XSS and not record.message


def test_the_request_phase_of_an_answered_flow_knows_nothing_of_the_answer() -> None:
    record = FlowRecord(path="/", status=200, response_body=b"x", phase="response", bytes_down=1, seconds=2.0)
    assert asked(record) == FlowRecord(path="/", phase="request")

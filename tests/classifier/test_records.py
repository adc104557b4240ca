"""FlowRecord and its JSON lines."""

import json
from typing import Any

import pytest
from hypothesis import given

from classifier.records import BODY_CAP, REPLY_CAP, FlowRecord, Label, asked, from_json, phases, text, threat, to_json
from strategies import records


@given(records)
def test_a_record_survives_its_json_line(record: FlowRecord) -> None:
    kept = {
        name: getattr(record, name)[:cap] for name, cap in (("request_body", BODY_CAP), ("response_body", REPLY_CAP))
    }  # only the wire's first bytes travel
    again = from_json(to_json(record))
    assert again == from_json(to_json(again))
    assert (again.request_body, again.response_body) == (kept["request_body"], kept["response_body"])
    assert (again.host, again.path, again.request_headers) == (record.host, record.path, record.request_headers)


@pytest.mark.parametrize(
    ("line", "kind", "phase"),
    [
        ({"host": "a.example"}, "http", "connect"),
        ({"host": "a.example", "path": "/"}, "http", "request"),
        ({"method": "GET"}, "http", "request"),
        ({"status": 200}, "http", "response"),
        ({"qname": "a.example"}, "dns", "request"),
        ({"qname": "a.example", "rcode": "NXDOMAIN"}, "dns", "response"),
        ({"kind": "tls", "sni": "a.example"}, "tls", "connect"),
        ({"host": "a.example", "path": None, "phase": "end"}, "http", "end"),
    ],
)
def test_missing_kind_and_phase_follow_from_what_is_there(line: dict[str, object], kind: str, phase: str) -> None:
    record = from_json(json.dumps(line))
    assert (record.kind, record.phase) == (kind, phase)


@pytest.mark.parametrize(
    "line",
    ["", "[]", "{", '"text"', '{"port": "eighty"}', '{"label": "nice"}', '{"request_body_b64": "%%"}', '{"headers": 1'],
)
def test_a_line_that_is_no_record_says_why(line: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        from_json(line)


def test_unknown_keys_are_ignored() -> None:
    assert from_json('{"host": "a.example", "colour": "red"}').host == "a.example"


def test_bodies_are_cut_to_the_cap() -> None:
    record = from_json(to_json(FlowRecord(request_body=b"x" * (BODY_CAP + 10))))
    assert len(record.request_body) == BODY_CAP


@pytest.mark.parametrize(("raw", "shown"), [(b"caf\xc3\xa9", "café"), (b"caf\xe9", "café"), (b"\xff\x00", "ÿ\x00")])
def test_bytes_from_the_wire_are_utf8_or_else_latin1(raw: bytes, shown: str) -> None:
    assert text(raw) == shown


def test_threat_is_what_is_not_harmless() -> None:
    scores = {Label.BENIGN: 0.5, Label.TRACKER: 0.1, Label.SCANNER: 0.1, Label.SQLI: 0.3}
    assert threat(scores) == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("fields", "site"), [({"host": "h", "sni": "s"}, "h"), ({"sni": "s"}, "s"), ({"qname": "q"}, "q")]
)
def test_the_site_is_the_first_name_known(fields: dict[str, Any], site: str) -> None:
    assert FlowRecord(**fields).site == site


def test_the_request_of_an_answered_flow_knows_nothing_of_the_answer() -> None:
    record = FlowRecord(path="/", status=200, response_body=b"x", phase="response", bytes_down=1, seconds=2.0)
    assert asked(record) == FlowRecord(path="/", phase="request")


def test_an_answered_flow_is_judged_as_a_request_and_as_a_whole() -> None:
    whole = FlowRecord(method="GET", path="/", status=200, phase="response")
    assert phases(whole) == [asked(whole), whole]


@pytest.mark.parametrize(
    "record",
    [
        FlowRecord(method="GET", path="/"),
        FlowRecord(host="h", phase="connect"),
        FlowRecord(kind="dns", qname="q", phase="response"),
    ],
)
def test_other_flows_are_judged_once(record: FlowRecord) -> None:
    assert phases(record) == [record]

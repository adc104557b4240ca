"""EVE logs written here, in the shapes of Suricata 5 to 8."""

import json
from pathlib import Path
from typing import Any

import pytest

from classifier import importers
from classifier.importers import BadLine, eve
from classifier.records import FlowRecord

ENDS = {"src_ip": "192.0.2.1", "src_port": 4000, "dest_ip": "198.51.100.2", "dest_port": 80, "proto": "TCP"}
NOON = "2026-01-02T12:00:00.500000+0000"


def event(kind: str, parts: dict[str, Any], **changed: Any) -> dict[str, Any]:
    """One event."""
    return {"timestamp": NOON, "flow_id": 7, "event_type": kind} | ENDS | {kind: parts} | changed


def log(path: Path, *events: dict[str, Any] | str) -> Path:
    """A log of events; a string is a line as it is."""
    path.write_text("\n".join(each if isinstance(each, str) else json.dumps(each) for each in events) + "\n")
    return path


def read(path: Path) -> list[FlowRecord]:
    found = list(importers.read(path))
    assert not [each for each in found if isinstance(each, BadLine)]
    return found  # type: ignore[return-value]


def test_an_http_event(tmp_path: Path) -> None:
    told = {
        "hostname": "shop.example", "url": "/a?b=c", "http_user_agent": "curl/8", "http_method": "POST",
        "protocol": "HTTP/1.1", "status": 200, "length": 5, "http_content_type": "text/html",
    }  # fmt: skip
    path = log(tmp_path / "eve.json", event("http", told))
    assert read(path) == [
        FlowRecord(
            id=f"{path}:1", kind="http", phase="response", time=1767355200.5, client="192.0.2.1", client_port=4000,
            server="198.51.100.2", port=80, scheme="http", host="shop.example", method="POST", path="/a?b=c",
            http_version="HTTP/1.1", request_headers=(("User-Agent", "curl/8"), ("Host", "shop.example")),
            status=200, response_headers=(("Content-Type", "text/html"),), bytes_down=5,
        )
    ]  # fmt: skip


def test_dumped_headers_and_an_absolute_address(tmp_path: Path) -> None:
    told = {"url": "http://shop.example:81/x", "request_headers": [{"name": "A", "value": "b"}]}
    (record,) = read(log(tmp_path / "e", event("http", told)))
    assert (record.host, record.path, record.request_headers, record.phase) == (
        "shop.example", "/x", (("A", "b"),), "request"
    )  # fmt: skip


def test_a_tls_event(tmp_path: Path) -> None:
    told = {"sni": "shop.example", "ja4": "t13d", "client_alpns": ["h2"], "version": "TLS 1.3"}
    (record,) = read(log(tmp_path / "e", event("tls", told)))
    assert (record.kind, record.phase, record.host, record.sni, record.ja4, record.alpn) == (
        "tls", "connect", "shop.example", "shop.example", "t13d", ("h2",)
    )  # fmt: skip


ASKED = {"type": "query", "id": 2, "rrname": "a.example", "rrtype": "A"}
TOLD = {"type": "answer", "id": 2, "rrname": "a.example", "rrtype": "A", "rcode": "NOERROR",
        "answers": [{"rrname": "a.example", "rrtype": "A", "rdata": "192.0.2.9"}]}  # fmt: skip
NEW = {"type": "response", "id": 2, "queries": [{"rrname": "a.example", "rrtype": "A"}], "rcode": "NXDOMAIN"}
SWAPPED = {"src_ip": "198.51.100.2", "src_port": 53, "dest_ip": "192.0.2.1", "dest_port": 4000}


@pytest.mark.parametrize(
    ("answer", "rcode", "ends"),
    [(TOLD, "NOERROR", {"dest_port": 53}), (TOLD, "NOERROR", SWAPPED), (NEW, "NXDOMAIN", {"dest_port": 53})],
)
def test_a_dns_answer_joins_its_question(
    answer: dict[str, Any], rcode: str, ends: dict[str, Any], tmp_path: Path
) -> None:
    later = NOON.replace(":00.5", ":01.5")
    path = log(tmp_path / "e", event("dns", ASKED, dest_port=53), event("dns", answer, timestamp=later, **ends))
    (record,) = read(path)
    assert (record.id, record.qname, record.qtype, record.rcode) == (f"{path}:1", "a.example", "A", rcode)
    assert (record.client, record.client_port, record.server, record.port) == ("192.0.2.1", 4000, "198.51.100.2", 53)
    assert record.seconds == 1.0


def test_questions_without_answers_come_last_and_are_not_hoarded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(eve, "WAITING", 2)
    asked = [event("dns", ASKED | {"id": number}) for number in range(4)]
    assert [record.phase for record in read(log(tmp_path / "e", *asked))] == ["request"] * 4


def test_other_events_are_passed_over(tmp_path: Path) -> None:
    assert read(log(tmp_path / "e", event("flow", {}), event("stats", {}), event("alert", {"signature": "x"}))) == []


@pytest.mark.parametrize(
    "line",
    [
        "{",
        '{"event_type": "http"}',
        '{"event_type": "http", "timestamp": "noon", "http": {}}',
        '{"event_type": "dns", "timestamp": "2026-01-02T12:00:00+0000", "dns": {"queries": [3]}}',
        '{"event_type": 5, "timestamp": "x"}',
    ],
)
def test_a_line_that_is_no_event_is_named_and_the_others_are_read(line: str, tmp_path: Path) -> None:
    path = log(tmp_path / "e", event("http", {"url": "/"}), line, event("http", {"url": "/"}))
    first, bad, last = importers.read(path)
    assert isinstance(first, FlowRecord) and isinstance(last, FlowRecord)
    assert isinstance(bad, BadLine) and bad.where == f"{path}:2"

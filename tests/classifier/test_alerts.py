"""Which flow an alert is about. Logs and captures are made here."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

import needs
from classifier import alerts, importers
from classifier.alerts import APART, EARLY, LATE, Alert, Join
from classifier.importers import BadLine
from classifier.masking import mask
from classifier.records import FlowRecord, Label

NOON = 1767355200.0
CLIENT, SERVER = ("192.0.2.1", 4000), ("198.51.100.2", 80)
SQLI = "ET WEB_SERVER SQL Injection"
FLOW = FlowRecord(
    id="f", time=NOON, client=CLIENT[0], client_port=CLIENT[1], server=SERVER[0], port=SERVER[1], host="shop.example",
    method="GET", path="/a?id=1'--", seconds=2.0,
)  # fmt: skip
PROXIED = msgspec.structs.replace(FLOW, client="10.0.0.9", client_port=0, server="")
ALERT = Alert(time=NOON + 1, signature=SQLI, ends=frozenset({CLIENT, SERVER}), kind="http",
              host="shop.example", path="/a?id=1'--")  # fmt: skip


def replace(alert: Alert, **changed: Any) -> Alert:
    return msgspec.structs.replace(alert, **changed)


@pytest.mark.parametrize(
    ("changed", "fits"),
    [
        ({}, True),
        ({"path": "/other"}, False),
        ({"kind": "tcp", "host": "", "path": ""}, True),
        ({"ends": frozenset({("192.0.2.1", 4001), SERVER})}, False),
        ({"time": NOON - EARLY}, True),
        ({"time": NOON - EARLY - 1}, False),
        ({"time": NOON + 2 + LATE}, True),
        ({"time": NOON + 3 + LATE}, False),
    ],
)
def test_a_captured_flow_is_found_by_its_ends_and_time(changed: dict[str, Any], fits: bool) -> None:
    assert (Join([replace(ALERT, **changed)]).match(FLOW) is not None) == fits


@pytest.mark.parametrize(
    ("changed", "fits"),
    [
        ({"ends": frozenset()}, True),
        ({"path": "/other"}, False),
        ({"host": "other.example"}, False),
        ({"kind": "tls", "path": ""}, True),
        ({"kind": "dns", "path": ""}, False),
        ({"kind": "tcp", "host": "", "path": ""}, False),
        ({"time": NOON + 2 + APART}, True),
        ({"time": NOON + 3 + APART}, False),
    ],
)
def test_a_proxied_flow_is_found_by_host_and_path_and_time(changed: dict[str, Any], fits: bool) -> None:
    assert (Join([replace(ALERT, **changed)]).match(PROXIED) is not None) == fits


def test_a_dns_alert_is_about_the_name_asked_for() -> None:
    asked = FlowRecord(id="d", kind="dns", time=NOON, qname="Bad.example")
    alert = replace(ALERT, kind="dns", host="bad.example", path="")
    assert Join([alert]).match(asked) == alert


def test_the_most_severe_alert_counts_and_what_fits_nothing_is_counted() -> None:
    worse = replace(ALERT, severity=1, signature="ET MALWARE CnC Checkin")
    join = Join([ALERT, worse, replace(ALERT, ends=frozenset(), host="x.example"), replace(ALERT, signature="?")])
    assert join.match(FLOW) == worse
    assert (join.alerts, join.unmatched, dict(join.unmapped)) == (3, 1, {"?": 1})


def test_a_secret_in_the_address_does_not_keep_the_two_apart(tmp_path: Path) -> None:
    secret = "/login?password=hunter2hunter&id=1"
    event = {
        "timestamp": "2026-01-02T12:00:01.000000+0000", "event_type": "alert", "src_ip": "10.9.9.9", "src_port": 1,
        "dest_ip": "10.9.9.8", "dest_port": 2, "alert": {"signature": SQLI, "category": "", "severity": 1},
        "http": {"hostname": "Shop.example:8080", "url": secret},
    }  # fmt: skip
    path = tmp_path / "eve.json"
    path.write_text("junk\n" + json.dumps({"event_type": "flow", "timestamp": ""}) + "\n" + json.dumps(event) + "\n")
    bad, alert = alerts.read(path)
    assert isinstance(bad, BadLine) and isinstance(alert, Alert)
    captured = mask(msgspec.structs.replace(PROXIED, path=secret))
    assert "hunter2" not in captured.path + alert.path
    found = Join([alert]).match(captured)
    assert found is not None and found.label == Label.SQLI


def test_the_corpus_pair_joins_by_its_ends(tmp_path: Path) -> None:
    raw = needs.corpus() / "flows" / "raw"
    (record,) = importers.read(raw / "eve-fileinfo.pcap")
    event = json.loads((raw / "eve-fileinfo.eve.json").read_text())
    event |= {"event_type": "alert", "alert": {"signature": "ET MALWARE Test CnC", "category": "", "severity": 1}}
    path = tmp_path / "eve.json"
    path.write_text(json.dumps(event))
    assert isinstance(record, FlowRecord)
    (alert,) = alerts.read(path)
    assert isinstance(alert, Alert)
    assert Join([alert]).match(record) == alert

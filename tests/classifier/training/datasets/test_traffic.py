"""Requests, payloads and captured flows as rows."""

import msgspec
import pytest

from classifier.records import FlowRecord
from classifier.training.datasets import traffic
from classifier.training.datasets.manifest import Source
from classifier.training.datasets.traffic import Item

SOURCE = Source(name="s", table="requests", pins=("o/n@c",), licence="MIT", format="http", paths=("*",))
TEMPLATE = msgspec.structs.replace(SOURCE, format="template")


def item(label: str, value: str | FlowRecord, path: str = "f") -> tuple[Source, Item]:
    return SOURCE, Item(label, "told", value, path, "o/n")


def get(path: str, host: str = "a.example") -> FlowRecord:
    return FlowRecord(method="GET", host=host, path=path)


@pytest.mark.parametrize(("limit", "kept"), [(0, 20), (3, 6), (99, 20)])
def test_caps_keep_the_same_ones_in_order(limit: int, kept: int) -> None:
    numbers = list(range(20))
    found = traffic.capped(numbers, limit, lambda n: n % 2, str)
    assert len(found) == kept and found == sorted(found)
    # not the first of them, and the same whatever the order they come in
    assert set(traffic.capped(numbers[::-1], limit, lambda n: n % 2, str)) == set(found)


def test_payloads_are_there_once_and_not_with_two_minds() -> None:
    same = [item("xss", "<x>"), item("xss", "<x>"), item("benign", "both"), item("sqli", "both"), item("benign", "ok")]
    rows = list(traffic.payloads(same))
    assert [(row["payload"], row["label"]) for row in rows] == [(b"<x>", "xss"), (b"ok", "benign")]
    assert rows[0]["source"] == "o/n" and rows[0]["licence"] == "MIT"


def test_payloads_that_differ_in_digits_are_not_split() -> None:
    hints = {row["split_hint"] for row in traffic.payloads([item("sqli", f"id={n}") for n in range(50)])}
    assert len(hints) == 1


def test_attacks_once_by_text_and_harmless_requests_twice_by_shape() -> None:
    attacks = [item("sqli", get(f"/?a={n}' or 1=1")) for n in range(5)]
    harmless = [item("benign", get(f"/item/{n}?b={n}")) for n in range(5)]
    other = [item("benign", get("/item/1?c=1")), item("benign", get("/item/1?b=1", "b.example"))]
    assert len(list(traffic.requests([*attacks, *harmless, *other]))) == 1 + 2 + 2


@pytest.mark.parametrize(
    ("source", "label", "path", "quality"),
    [
        (SOURCE, "sqli", "/", "strong"),
        (TEMPLATE, "sqli", "/", "weak"),
        (TEMPLATE, "sqli", "/?a=1' or 1=1", "strong"),
        (TEMPLATE, "scanner", "/", "weak"),
        (TEMPLATE, "benign", "/", "strong"),
    ],
)
def test_quality_is_weak_where_nothing_confirms_the_class(source: Source, label: str, path: str, quality: str) -> None:
    (row,) = traffic.requests([(source, Item(label, "", get(path), "f", "o/n"))])
    assert row["label_quality"] == quality


def test_groups_are_templates_and_sites() -> None:
    (template,) = traffic.requests([(TEMPLATE, Item("xss", "", get("/"), "t.yaml", "o/n"))])
    (site,) = traffic.requests([item("benign", get("/"))])
    (file,) = traffic.requests([item("benign", get("/", ""))])
    assert (template["group"], site["group"], file["group"]) == ("t.yaml", "a.example", "f")


def test_flows_go_to_the_table_of_their_kind() -> None:
    records = [
        FlowRecord(method="GET", host="a.example", path="/", status=200, response_body=b"x", phase="response"),
        FlowRecord(kind="tls", phase="connect", sni="a.example", alpn=("h2",), ja4="t13"),
        FlowRecord(kind="dns", phase="response", qname="a.example", qtype="TYPE99", rcode="NXDOMAIN", answers=("x",)),
        FlowRecord(kind="dns", qname="a.example", qtype="A"),
        FlowRecord(kind="tcp"),
        FlowRecord(kind="http", phase="connect", host="a.example"),
    ]
    rows = list(traffic.flows(item("benign", record, "d/family.pcap") for record in records))
    assert [table for table, _ in rows] == ["transactions", "handshakes", "dns", "dns"]
    web, tls, answer, question = (row for _, row in rows)
    assert (web["status"], web["resp_body"], web["family"], web["source_file"]) == (
        200,
        b"x",
        "family",
        "d/family.pcap",
    )
    assert (tls["sni"], tls["alpn"], tls["ja4"]) == ("a.example", ["h2"], "t13")
    assert (answer["qtype"], answer["rcode"], answer["answers"][0]["value"]) == (99, 3, "x")
    assert (question["qtype"], question["rcode"], question["is_response"]) == (1, None, False)


@pytest.mark.parametrize(("label", "kept"), [("benign", 600), ("dns_tunnel", 3000)])
def test_of_a_long_capture_the_first_flows_are_kept(label: str, kept: int) -> None:
    flows = [item(label, FlowRecord(kind="dns", qname=f"{n}.example")) for n in range(3100)]
    rows = [row for _, row in traffic.flows([*flows, item(label, FlowRecord(kind="dns", qname="z.example"), "g")])]
    assert len(rows) == kept + 1 and rows[0]["qname"] == "0.example"

"""Lines of the grammar files as records."""

from random import Random

import pytest

from classifier.records import FlowRecord, Label
from classifier.training.synthetic.grammar import expand, read
from classifier.training.synthetic.scenes import LABELLED, answered, benign, hostile, parse

FILES = ("benign.txt", "hostile.txt")
RULES = {section.name: section.lines for section in read("hostile.txt") if not section.fields}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "GET https://a.example:8443/x?q=1\nAccept: */*\n\nbody",
            FlowRecord(method="GET", scheme="https", host="a.example", port=8443, path="/x?q=1",
                       request_headers=(("Accept", "*/*"),), request_body=b"body"),
        ),
        (
            "GET http://a.example/ ⇒ 302\nLocation: /y",
            FlowRecord(method="GET", scheme="http", host="a.example", path="/", phase="response", status=302,
                       response_headers=(("Location", "/y"),)),
        ),
        (
            "GET http://a.example/ ⇒ 200 text/plain\n\nMZ\x90\x00",
            FlowRecord(method="GET", scheme="http", host="a.example", path="/", phase="response", status=200,
                       response_headers=(("Content-Type", "text/plain"),), response_body=b"MZ\x90\x00", bytes_down=4),
        ),
        ("CONNECT a.example:443", FlowRecord(phase="connect", method="CONNECT", host="a.example", port=443)),
        ("TLS A.example", FlowRecord(kind="tls", phase="connect", sni="a.example", alpn=("h2", "http/1.1"))),
        ("DNS A a.example", FlowRecord(kind="dns", qname="a.example", qtype="A")),
        (
            "DNS TXT a.example ⇒ NOERROR v=spf1 -all",
            FlowRecord(kind="dns", phase="response", qname="a.example", qtype="TXT", rcode="NOERROR",
                       answers=("v=spf1 -all",)),
        ),
        (
            "DNS A a.example ⇒ NOERROR 192.0.2.1 192.0.2.2",
            FlowRecord(kind="dns", phase="response", qname="a.example", qtype="A", rcode="NOERROR",
                       answers=("192.0.2.1", "192.0.2.2")),
        ),
        (
            "WS wss://a.example/ws\n\n{}",
            FlowRecord(kind="websocket", scheme="wss", host="a.example", path="/ws", message=b"{}", direction="up"),
        ),
        (
            "TCP a.example:25\n\nEHLO",
            FlowRecord(kind="tcp", phase="end", host="a.example", port=25, message=b"EHLO", bytes_up=4),
        ),
    ],
)  # fmt: skip
def test_lines_by_table(line: str, expected: FlowRecord) -> None:
    assert parse(line) == expected


@pytest.mark.parametrize("name", FILES)
def test_every_line_is_a_flow(name: str) -> None:
    rng = Random(1)
    for section in read(name):
        for line in section.lines:
            unfolded = expand(rng, line, RULES)
            if section.fields:
                assert parse(unfolded).site


def test_the_labels_are_those_that_no_payload_shows() -> None:
    web = {Label.SQLI, Label.XSS, Label.PATH_TRAVERSAL, Label.COMMAND_INJECTION, Label.SSRF_XXE}
    assert set(LABELLED) == set(Label) - web - {Label.BENIGN}


@pytest.mark.parametrize("label", LABELLED)
def test_flows_vary(label: Label) -> None:
    rng = Random(2)
    assert len({hostile(rng, label) for _ in range(50)}) > 45


def test_an_answer_turns_a_request_into_a_response() -> None:
    rng = Random(3)
    request = parse("GET http://a.example/")
    for _ in range(50):
        response = answered(rng, request)
        assert (response.phase, response.path) == ("response", "/")
        assert 200 <= response.status < 600


def test_a_flow_without_its_answer_keeps_nothing_of_it() -> None:
    rng = Random(4)
    for record in (benign(rng) for _ in range(500)):
        if record.phase == "request":
            assert not (record.status or record.response_body or record.response_headers or record.answers)

"""Lines as records, by table."""

import pytest

from classifier.lines import parse
from classifier.records import FlowRecord


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

"""mitmproxy's flows as records."""

import io
from pathlib import Path

import pytest
from mitmproxy import dns, http
from mitmproxy import io as mio
from mitmproxy.flow import Flow
from mitmproxy.net.dns import types
from mitmproxy.test import tflow, tutils

from classifier import importers
from classifier.importers import BadLine, mitm
from classifier.records import FlowRecord


def flow() -> http.HTTPFlow:
    made = tflow.tflow(resp=True)
    made.request = tutils.treq(
        method=b"POST", path=b"/p?q=1", headers=http.Headers(((b"host", b"a.example"), (b"x", b"\xfc"))),
        content=b"body", timestamp_start=10.0,
    )  # fmt: skip
    assert made.response is not None
    made.response.headers["content-encoding"] = "gzip"
    made.response.content = b"hello " * 10
    made.response.timestamp_end = 10.5
    made.client_conn.sni = "a.example"
    made.client_conn.alpn_offers = [b"h2"]
    return made


def test_a_phase_shows_only_what_it_can_know() -> None:
    made = flow()
    response = mitm.record(made, "response", ja4="t13")
    assert (response.status, response.response_body, response.seconds) == (200, b"hello " * 10, 0.5)
    assert 0 < response.bytes_down < 60
    request = mitm.record(made, "request")
    assert (request.method, request.path, request.request_body, request.bytes_up) == ("POST", "/p?q=1", b"body", 4)
    assert request.request_headers == (("host", "a.example"), ("x", "ü"))
    assert (request.status, request.response_headers, request.response_body) == (0, (), b"")
    assert (response.ja4, response.sni, response.alpn) == ("t13", "a.example", ("h2",))
    connect = mitm.record(made, "connect")
    assert (connect.kind, connect.host, connect.port) == ("tls", "address", 22)
    assert not (connect.method or connect.path or connect.request_headers)


def test_dns_questions_and_answers() -> None:
    made = tflow.tdnsflow(resp=True)
    assert made.response is not None
    made.response.answers = [
        dns.ResourceRecord.A("dns.google", made.response.answers[0].ipv4_address),
        dns.ResourceRecord.CNAME("dns.google", "x.example"),
        dns.ResourceRecord("dns.google", types.NULL, 1, 60, b"\x01\xff"),
    ]
    record = mitm.record(made, mitm.last(made))
    assert (record.kind, record.phase, record.qname, record.qtype, record.rcode) == (
        "dns", "response", "dns.google", "A", "NOERROR",
    )  # fmt: skip
    assert record.answers == ("8.8.8.8", "x.example", "0x01ff")


def test_opaque_connections_are_counted() -> None:
    made = tflow.ttcpflow()
    record = mitm.record(made, mitm.last(made))
    assert (record.kind, record.phase, record.host, record.port) == ("tcp", "end", "address", 22)
    assert record.bytes_up == sum(len(m.content) for m in made.messages if m.from_client) > 0


def dump(path: Path, *flows: Flow) -> bytes:
    buffer = io.BytesIO()
    for each in flows:
        mio.FlowWriter(buffer).add(each)
    path.write_bytes(buffer.getvalue())
    return buffer.getvalue()


def test_a_dump_gives_each_flow_at_its_last_phase(tmp_path: Path) -> None:
    asked = tflow.tflow()
    dump(tmp_path / "x", flow(), asked, tflow.ttcpflow(), tflow.tdnsflow())
    phases = [each.phase for each in importers.read(tmp_path / "x") if isinstance(each, FlowRecord)]
    assert phases == ["response", "request", "end", "request"]


@pytest.mark.parametrize("cut", [1, 100, 500])
def test_a_cut_dump_gives_the_flows_before(cut: int, tmp_path: Path) -> None:
    whole = dump(tmp_path / "x", flow(), flow())
    (tmp_path / "x").write_bytes(whole[:-cut])
    first, second = importers.read(tmp_path / "x")
    assert isinstance(first, FlowRecord)
    assert isinstance(second, BadLine) and second.where.endswith("#2")


def test_a_dump_and_its_archive_agree(corpus: Path) -> None:
    raw = corpus / "flows" / "raw"
    fields = ("method", "scheme", "host", "port", "path", "status", "response_body", "request_body")
    both = [
        [tuple(getattr(record, name) for name in fields) for record in importers.read(raw / f"mitmproxy-log.{kind}")]
        for kind in ("har", "mitm")
    ]
    assert both[0] == both[1]

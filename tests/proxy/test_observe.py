"""The proxy's reader and the importer of mitmproxy's dumps agree; what differs by phase and what is long is told."""

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy.http import Headers, HTTPFlow
from mitmproxy.proxy import context
from mitmproxy.proxy.mode_specs import ProxyMode
from mitmproxy.test import taddons, tflow, tutils
from mitmproxy.tls import ClientHello, ClientHelloData, TlsData

from classifier.importers import mitm
from classifier.records import BODY_CAP, REPLY_CAP, Phase
from proxy import observe

LATIN = Headers([(b"Host", b"a.example"), (b"x", b"\xff"), (b"X", "ü".encode()), (b"x", b"2")])


def flows() -> list[HTTPFlow]:
    plain = tflow.tflow(resp=True)
    empty = tflow.tflow(resp=True)
    empty.request.data.content = None
    assert empty.response is not None
    empty.response.data.content = None
    empty.response.data.timestamp_end = None
    empty.client_conn.alpn_offers = [b"h2", b"http/1.1"]
    empty.client_conn.sni = "sni.example"
    packed = tflow.tflow(req=tutils.treq(headers=LATIN, content=b"x" * 40_000), resp=True)
    assert packed.response is not None
    packed.response.headers["content-encoding"] = "gzip"
    packed.response.data.content = gzip.compress(b"'" * 5_000_000)
    torn = packed.copy()
    assert torn.response is not None
    torn.response.data.content = b"no gzip"
    return [plain, empty, packed, torn, tflow.tflow(resp=False), tflow.twebsocketflow()]


@pytest.mark.parametrize("phase", ["connect", "request", "response"])
@pytest.mark.parametrize("flow", flows(), ids=["plain", "empty", "packed", "torn", "unanswered", "websocket"])
def test_live_flows_read_as_those_of_a_dump(flow: HTTPFlow, phase: Phase) -> None:
    ja4 = "" if phase == "connect" else "t13d"
    assert observe.record(flow, phase, ja4) == mitm.record(flow, phase, ja4=ja4)


@given(
    st.binary(max_size=200),
    st.binary(max_size=200),
    st.lists(st.tuples(st.binary(max_size=20), st.binary(max_size=20))),
)
def test_any_bytes_read_without_an_exception(path: bytes, body: bytes, fields: list[tuple[bytes, bytes]]) -> None:
    flow = tflow.tflow(req=tutils.treq(path=path, content=body, headers=Headers(fields)), resp=True)
    assert observe.record(flow, "response") == mitm.record(flow, "response")


def test_a_bomb_costs_no_more_than_a_page() -> None:
    flow = tflow.tflow(resp=True)
    assert flow.response is not None
    flow.response.headers["content-encoding"] = "deflate"
    flow.response.data.content = zlib.compress(b"a" * 50_000_000)
    assert observe.record(flow, "response").response_body == b"a" * REPLY_CAP


@pytest.mark.parametrize(
    ("headers", "method", "status", "endless"),
    [
        ({}, b"GET", 200, False),
        ({"content-length": "1000"}, b"GET", 200, False),
        ({"content-length": "1001"}, b"GET", 200, True),
        ({"content-length": "1001"}, b"HEAD", 200, False),
        ({"content-length": "1001"}, b"GET", 304, False),
        ({"content-length": "x"}, b"GET", 200, False),
        ({"content-type": "text/event-stream"}, b"GET", 200, True),
        ({"content-type": "Video/mp4"}, b"GET", 200, True),
        ({"content-type": "text/html"}, b"GET", 200, False),
    ],
)
def test_which_responses_are_not_held(headers: dict[str, str], method: bytes, status: int, endless: bool) -> None:
    flow = tflow.tflow(req=tutils.treq(method=method), resp=tutils.tresp(status_code=status))
    assert flow.response is not None
    flow.response.headers = Headers([(name.encode(), value.encode()) for name, value in headers.items()])
    assert observe.endless(flow, 1000) is endless


def test_what_lies_beyond_the_cap_is_told() -> None:
    flow = tflow.tflow(req=tutils.treq(content=b"x" * (BODY_CAP + 7)), resp=False)
    assert (observe.beyond(flow, "request"), observe.beyond(flow, "response")) == (7, 0)


HELLO = bytes.fromhex(
    "03030000000000000000000000000000000000000000000000000000000000000000"  # version, random
    "00"  # session
    "0004130113020100"  # ciphers, compression
    "0028"  # extensions: 40 bytes
    "0000000e000c0000096c6f63616c686f7374"  # server name: localhost
    "0010000b000908687474702f312e31"  # ALPN: http/1.1
    "002b0003020304"  # TLS 1.3
)


def test_a_hello_gives_name_protocols_and_fingerprint() -> None:
    with taddons.context() as tctx:
        ctx = context.Context(tflow.tclient_conn(), tctx.options)
        ctx.server.address = ("localhost", 443)
        record = observe.hello(ClientHelloData(ctx, ClientHello(HELLO)), "id")
    assert (record.kind, record.phase, record.id) == ("tls", "connect", "id")
    assert (record.host, record.port, record.sni, record.alpn) == ("localhost", 443, "localhost", ("http/1.1",))
    assert record.ja4.startswith("t13d0203h1_")


@pytest.mark.parametrize(
    ("target", "hosts", "meant"),
    [
        ("localhost", {"localhost"}, True),
        ("127.0.0.1", {"localhost"}, True),
        ("::1", {"localhost"}, True),
        ("evil.example", {"localhost"}, False),
        ("evil.example", {"localhost", "evil.example"}, True),
        ("localhost", set(), False),
    ],
)
def test_a_server_name_counts_only_with_its_target(target: str, hosts: set[str], meant: bool) -> None:
    with taddons.context() as tctx:
        ctx = context.Context(tflow.tclient_conn(), tctx.options)
        ctx.server.address = (target, 443)
        assert observe.names(ClientHelloData(ctx, ClientHello(HELLO)), hosts) is meant


@pytest.mark.parametrize(
    ("target", "named"),
    [
        ("localhost", "localhost"),
        ("127.0.0.1", "localhost at 127.0.0.1"),
        ("evil.example", "localhost at evil.example"),
    ],
)
def test_a_pin_is_about_the_name_at_its_target(target: str, named: str) -> None:
    with taddons.context() as tctx:
        ctx = context.Context(tflow.tclient_conn(), tctx.options)
        ctx.server.address = (target, 443)
        assert observe.destination(ClientHelloData(ctx, ClientHello(HELLO))) == named


@pytest.mark.parametrize(
    ("error", "refused"),
    [
        ("The client does not trust the proxy's certificate for a.example (unknown ca)", True),
        ("The client disconnected during the handshake. If this happens consistently for a.example, this may", True),
        ("Client and mitmproxy cannot agree on a TLS version to use.", False),
        ("connection closed early", False),
        (None, False),
    ],
)
def test_which_failed_handshakes_speak_of_certificates(error: str | None, refused: bool) -> None:
    with taddons.context() as tctx:
        client = tflow.tclient_conn()
        client.error = error
        assert observe.refused(TlsData(client, context.Context(client, tctx.options))) is refused


@pytest.mark.parametrize(
    ("mode", "host", "header", "sni", "site"),
    [
        ("regular", "198.51.100.7", "Shop.example:80", "", "198.51.100.7"),
        ("transparent", "198.51.100.7", "Shop.example:8000", "", "shop.example"),
        ("transparent", "198.51.100.7", "shop.example", "inside.example", "inside.example"),
        ("transparent", "198.51.100.7", "", "", "198.51.100.7"),
        ("transparent", "2001:db8::7", "[2001:db8::7]:80", "", "2001:db8::7"),
        ("wireguard", "named.example", "other.example", "", "named.example"),
    ],
)
def test_clients_that_were_redirected_name_the_site_themselves(
    mode: str, host: str, header: str, sni: str, site: str
) -> None:
    flow = tflow.tflow()
    flow.client_conn.proxy_mode = ProxyMode.parse(mode)
    flow.request.data.host, flow.client_conn.sni = host, sni or None
    flow.request.headers["Host"] = header
    assert observe.site(flow) == site

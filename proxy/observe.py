"""mitmproxy's objects as `FlowRecord`s: the only reader of a flow.

Runs twice for most flows, so it reads `flow.request.data.*` as bytes: `pretty_url` and `dict(headers)` cost several
times as much. What it gives must equal what `classifier.importers.mitm` gives of the same flow read from a dump.

A compressed body is unpacked only as far as the model looks (`cap`): a bomb costs no more than a page.
"""

import time
from collections.abc import Container
from ipaddress import ip_address
from typing import Final

from mitmproxy.http import Headers as Fields
from mitmproxy.http import HTTPFlow, Message, Request, RequestData, ResponseData
from mitmproxy.net.http.url import parse_authority
from mitmproxy.tls import ClientHello, ClientHelloData, TlsData

from classifier.importers.coding import decode
from classifier.ja4 import ja4 as ja4_of
from classifier.ja4 import parse
from classifier.recent import Recent
from classifier.records import BODY_CAP, REPLY_CAP, FlowRecord, Headers, Phase, text

LIVE_TYPES: Final = (
    b"text/event-stream",
    b"multipart/x-mixed-replace",
    b"application/x-ndjson",
    b"application/grpc",
    b"audio/",
    b"video/",
)
"""Responses that are read while they are written: holding them until their end would break them."""


UNASKED: Final = frozenset({"transparent", "wireguard", "local"})
"""mitmproxy's modes whose clients do not know that there is a proxy."""


def record(flow: HTTPFlow, phase: Phase, ja4: str = "") -> FlowRecord:
    """A live HTTP flow as far as it has come. `phase` connect is for CONNECT: the tunnel's target only."""
    if phase == "connect":
        return _tunnel(flow)
    request, client = flow.request.data, flow.client_conn
    response = flow.response.data if phase != "request" and flow.response is not None else None
    return FlowRecord(
        id=flow.id,
        kind="http",
        phase=phase,
        time=request.timestamp_start,
        client=client.peername[0] if client.peername else "",
        host=site(flow),
        port=request.port,
        sni=client.sni or "",
        alpn=tuple(text(name) for name in client.alpn_offers),
        ja4=ja4,
        method=text(request.method),
        scheme=text(request.scheme),
        path=_PATHS[request.path],
        http_version=text(request.http_version),
        request_headers=_pairs(request.headers.fields),
        request_body=body(flow.request),
        status=response.status_code if response else 0,
        response_headers=_pairs(response.headers.fields) if response else (),
        response_body=body(flow.response) if flow.response is not None and response else b"",
        bytes_up=len(request.content or b""),
        bytes_down=len(response.content or b"") if response else 0,
        seconds=_seconds(request, response) if response else 0.0,
    )


def site(flow: HTTPFlow) -> str:
    """The host that a request is for.

    Of a client that did not ask for a proxy only the address is known that it connected to. Its name is then the
    client's word: the one that it gave in TLS, else in the Host header.
    """
    host = flow.request.data.host
    if flow.client_conn.proxy_mode.type_name in UNASKED and is_address(host):
        return flow.client_conn.sni or (parse_authority(flow.request.host_header or "", check=False)[0] or host).lower()
    return host


def hello(data: ClientHelloData, flow_id: str) -> FlowRecord:
    """A ClientHello: the server's name, the protocols offered, and the client's fingerprint."""
    client, server = data.context.client, data.context.server
    address = server.address or ("", 0)
    return FlowRecord(
        id=flow_id,
        kind="tls",
        phase="connect",
        time=time.time(),
        client=client.peername[0] if client.peername else "",
        host=address[0],
        port=address[1],
        sni=data.client_hello.sni or "",
        alpn=tuple(text(name) for name in data.client_hello.alpn_protocols),
        ja4=fingerprint(data.client_hello),
    )


def names(data: ClientHelloData, hosts: Container[str]) -> bool:
    """Whether a ClientHello is for one of `hosts`: its server name, and the tunnel's target unless that is an address.

    The name alone is the client's word: it may be put beside another target to escape inspection.
    """
    target = data.context.server.address[0] if data.context.server.address else ""
    found = [name for name in (data.client_hello.sni, target) if name]
    if len(found) == 2 and is_address(target):
        found.pop()
    return bool(found) and all(name in hosts for name in found)


def destination(data: ClientHelloData) -> str:
    """The server that a ClientHello is for: its name, with the tunnel's target where that is another.

    A name alone is the client's word: what is learned of it must not hold for other targets.
    """
    target = data.context.server.address[0] if data.context.server.address else ""
    sni = data.client_hello.sni or ""
    return f"{sni} at {target}" if sni and target and sni.lower() != target.lower() else (sni or target).lower()


def refused(data: TlsData) -> bool:
    """Whether a handshake failed because the client would not take our certificate, as far as can be told.

    It says so, or goes without a word; other failures (versions, ciphers) say nothing of certificates.
    """
    error = data.conn.error or ""
    return "does not trust the proxy's certificate" in error or "disconnected during the handshake" in error


def fingerprint(hello: ClientHello) -> str:
    """JA4 of a ClientHello, empty where it cannot be taken."""
    try:
        return ja4_of(parse(hello.raw_bytes()[5:]))  # without the 5 bytes of the record
    except (ValueError, NotImplementedError):  # mitmproxy raises the latter for DTLS, which JA4 does not cover
        return ""


def announced(message: Message) -> int | None:
    """The body length that the headers announce in bytes, None when they do not say."""
    value = _header(message.headers, b"content-length")
    return int(value) if value.isdigit() else None


def endless(flow: HTTPFlow, held: int) -> bool:
    """Whether a response's body is announced to be longer than `held` bytes, or of a type read while it is written."""
    assert flow.response is not None
    if flow.request.data.method.upper() == b"HEAD" or flow.response.status_code in (101, 204, 304):
        return False
    kind = _header(flow.response.headers, b"content-type").lower()
    return kind.startswith(LIVE_TYPES) or (announced(flow.response) or 0) > held


def beyond(flow: HTTPFlow, phase: Phase) -> int:
    """Bytes of a held body (as sent) that the model does not look at."""
    message = flow.request if phase == "request" else flow.response
    return max(0, len(message.data.content or b"") - cap(message)) if message is not None else 0


def cap(message: Message) -> int:
    """Bytes of a body that the model looks at."""
    return BODY_CAP if isinstance(message, Request) else REPLY_CAP


def body(message: Message) -> bytes:
    """The body without its content encoding up to its cap; as it is where that cannot be removed."""
    raw = message.data.content
    if not raw:
        return b""
    coding = _header(message.headers, b"content-encoding")
    if not coding:
        return raw[: cap(message)]
    if sum(name.lower() == b"content-encoding" for name, _ in message.headers.fields) > 1:
        return decode(raw, message.headers.get("content-encoding", ""), cap(message))
    return decode(raw, text(coding), cap(message))


def is_address(host: str) -> bool:
    """Whether a host is an IP address."""
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


# Clients and servers repeat their headers, and a flow is read when it is asked and again when it is answered. The same
# texts also are the same objects then, which makes whatever is remembered of them (`masking`, `texts`) quick to find.


def _pair(pair: tuple[bytes, bytes]) -> tuple[str, str]:
    return text(pair[0]), text(pair[1])


def _pairs(fields: tuple[tuple[bytes, bytes], ...]) -> Headers:
    return tuple(map(_FIELDS.__getitem__, fields))


_FIELDS: Final = Recent(_pair, lambda pair: len(pair[0]) + len(pair[1]), 1 << 18)
_PATHS: Final = Recent(text, len, 1 << 18)


def _tunnel(flow: HTTPFlow) -> FlowRecord:
    request, client = flow.request.data, flow.client_conn
    return FlowRecord(
        id=flow.id,
        kind="tls",
        phase="connect",
        time=request.timestamp_start,
        client=client.peername[0] if client.peername else "",
        host=request.host,
        port=request.port,
        sni=client.sni or "",
        alpn=tuple(text(name) for name in client.alpn_offers),
    )


def _seconds(request: RequestData, response: ResponseData) -> float:
    end = response.timestamp_end or response.timestamp_start
    return max(0.0, end - request.timestamp_start) if end and request.timestamp_start else 0.0


def _header(fields: Fields, name: bytes) -> bytes:
    """The first value of a header; `name` in lower case."""
    for key, value in fields.fields:
        if len(key) == len(name) and key.lower() == name:
            return value
    return b""

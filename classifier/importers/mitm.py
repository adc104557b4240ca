"""mitmproxy's flows as records: those of a dump, and live ones in the proxy.

`record(flow, phase)` decides what a record of a flow holds; the proxy's own reader must agree with it.
Only fields that the phase can know are set: a `request` record has no response even when the flow does.
"""

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from classifier.importers import BadLine
from classifier.importers.coding import decode
from classifier.records import BODY_CAP, REPLY_CAP, FlowRecord, Phase, headers, text

if TYPE_CHECKING:
    from mitmproxy import connection, dns, flow, http, tcp, udp


def read(file: io.BufferedReader, name: str) -> Iterator[FlowRecord | BadLine]:
    """The flows of a dump, each at its last phase. Formats of older mitmproxy versions are read too."""
    from mitmproxy import exceptions
    from mitmproxy.io import FlowReader

    number = 0
    try:
        for number, found in enumerate(FlowReader(file).stream(), 1):
            yield _record(found, f"{name}#{number}")
    # A damaged dump fails deep inside the reader, in whatever it happens to be doing there.
    except (exceptions.FlowReadException, ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        yield BadLine(f"{name}#{number + 1}", f"not a mitmproxy flow ({error}); nothing after it can be read")


def record(flow: "flow.Flow", phase: Phase, *, ja4: str = "") -> FlowRecord:
    """What is known of a flow at a phase. Raises TypeError for a kind of flow that carries no traffic of ours.

    At `connect` (a CONNECT request) only the ends are known: no method, no headers.
    """
    from mitmproxy import dns, http, tcp, udp

    ends = _ends(flow.client_conn, ja4)
    if isinstance(flow, http.HTTPFlow):
        fields = _http(flow, phase)
    elif isinstance(flow, dns.DNSFlow):
        fields = message(flow.request, flow.response if phase == "response" else None)
    elif isinstance(flow, tcp.TCPFlow | udp.UDPFlow):
        fields = _stream(flow)
    else:
        raise TypeError(f"no traffic in a flow of type {flow.type!r}")
    known: dict[str, Any] = {"id": flow.id, "phase": phase, "time": flow.timestamp_created} | ends | fields
    return FlowRecord(**known)


def last(flow: "flow.Flow") -> Phase:
    """The phase that a finished flow reached."""
    if flow.type in ("tcp", "udp"):
        return "end"
    return "response" if getattr(flow, "response", None) else "request"


def message(request: "dns.DNSMessage", response: "dns.DNSMessage | None") -> dict[str, Any]:
    """The fields of a DNS exchange; the answers as they are usually written, others in hexadecimal."""
    from mitmproxy.net.dns import response_codes, types

    question = next(iter(request.questions), None)
    fields: dict[str, Any] = {"kind": "dns", "time": request.timestamp or 0.0}
    if question is not None:
        fields |= {"qname": question.name, "qtype": types.to_str(question.type)}
    if response is not None:
        fields["rcode"] = response_codes.to_str(response.response_code)
        fields["answers"] = tuple(str(answer) for answer in response.answers)
        fields["seconds"] = _since(request.timestamp, response.timestamp)
    return fields


def _record(found: "flow.Flow", where: str) -> FlowRecord | BadLine:
    try:
        made = record(found, last(found))
    except (ValueError, TypeError, AttributeError) as error:
        return BadLine(where, str(error))
    return made if made.id else msgspec.structs.replace(made, id=where)


def _ends(client: "connection.Client", ja4: str) -> dict[str, Any]:
    return {
        "client": str(client.peername[0]) if client.peername else "",
        "sni": client.sni or "",
        "alpn": tuple(text(name) for name in client.alpn_offers or ()),
        "ja4": ja4,
    }


def _http(flow: "http.HTTPFlow", phase: Phase) -> dict[str, Any]:
    data = flow.request.data
    fields: dict[str, Any] = {"time": data.timestamp_start, "host": data.host, "port": data.port}
    if phase == "connect":
        return fields | {"kind": "tls"}
    fields |= {
        "scheme": text(data.scheme),
        "method": text(data.method),
        "path": text(data.path),
        "http_version": text(data.http_version),
        "request_headers": headers(data.headers.fields),
        "request_body": body(flow.request),
        "bytes_up": len(data.content or b""),
    }
    if phase == "request" or flow.response is None:
        return fields
    reply = flow.response.data
    return fields | {
        "status": reply.status_code,
        "response_headers": headers(reply.headers.fields),
        "response_body": body(flow.response),
        "bytes_down": len(reply.content or b""),
        "seconds": _since(data.timestamp_start, reply.timestamp_end or reply.timestamp_start),
    }


def body(message: "http.Message") -> bytes:
    """A message's body, decoded and cut to its cap; empty where it was streamed."""
    cap = REPLY_CAP if hasattr(message, "status_code") else BODY_CAP
    return decode(message.data.content or b"", message.data.headers.get("content-encoding", ""), cap)


def _stream(flow: "tcp.TCPFlow | udp.UDPFlow") -> dict[str, Any]:
    """An opaque connection: where to, how much, how long."""
    address = flow.server_conn.address or ("", 0)
    sizes = {
        side: sum(len(part.content) for part in flow.messages if part.from_client is side) for side in (True, False)
    }
    moments = [part.timestamp for part in flow.messages]
    return {
        "kind": "tcp",
        "host": flow.client_conn.sni or address[0],
        "port": address[1],
        "bytes_up": sizes[True],
        "bytes_down": sizes[False],
        "seconds": _since(min(moments, default=None), max(moments, default=None)),
    }


def _since(start: float | None, end: float | None) -> float:
    return max(end - start, 0.0) if start and end else 0.0

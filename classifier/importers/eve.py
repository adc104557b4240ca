"""Suricata's EVE log (one JSON event a line): its http, tls and dns events as records, its alerts as they are.

A DNS answer joins its question by flow and transaction number. Other events (flow, fileinfo, stats) are passed over.
Fields: https://docs.suricata.io/en/latest/output/eve/eve-json-format.html
"""

import io
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Final

import msgspec

from classifier.importers import BadLine
from classifier.importers.address import authority, split
from classifier.records import FlowRecord, Headers

WAITING: Final = 10_000
"""Questions that wait for their answers; the oldest is given without when there are more."""


class Event(msgspec.Struct, kw_only=True):
    """What all events share, and the parts we read. `timestamp` is ISO 8601, `flow_id` one number a connection."""

    event_type: str
    timestamp: str
    flow_id: int = 0
    src_ip: str = ""
    src_port: int = 0
    dest_ip: str = ""
    dest_port: int = 0
    proto: str = ""
    http: dict[str, Any] = {}
    tls: dict[str, Any] = {}
    dns: dict[str, Any] = {}
    alert: dict[str, Any] = {}

    @property
    def time(self) -> float:
        """Unix seconds. Raises ValueError."""
        return datetime.fromisoformat(self.timestamp).timestamp()


def read(file: io.BufferedReader, name: str) -> Iterator[FlowRecord | BadLine]:
    """The http, tls and dns events of a log as records."""
    waiting: dict[tuple[int, int, str], FlowRecord] = {}
    for where, event in events(file, name):
        if isinstance(event, BadLine):
            yield event
            continue
        try:
            record = _record(event, where)
        except (ValueError, TypeError, AttributeError, LookupError) as error:
            yield BadLine(where, f"not an EVE event ({error})")
            continue
        if record is None:
            continue
        if record.kind != "dns":
            yield record
            continue
        key = event.flow_id, _number(event.dns.get("id")), record.qname
        if record.phase == "request":
            waiting[key] = record
            if len(waiting) > WAITING:
                yield waiting.pop(next(iter(waiting)))
        else:
            asked = waiting.pop(key, record)
            yield msgspec.structs.replace(
                record, id=asked.id, time=asked.time, seconds=max(record.time - asked.time, 0.0)
            )
    yield from waiting.values()


def events(lines: Iterable[bytes], name: str) -> Iterator[tuple[str, Event | BadLine]]:
    """Each event with its `FILE:LINE`, a `BadLine` for a line that is none."""
    for number, line in enumerate(lines, 1):
        if line.isspace() or not line:
            continue
        where = f"{name}:{number}"
        try:
            yield where, _decoder.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            yield where, BadLine(where, f"not an EVE event ({error})")


_decoder: Final = msgspec.json.Decoder(Event)


def _record(event: Event, where: str) -> FlowRecord | None:
    make = {"http": _http, "tls": _tls, "dns": _dns}.get(event.event_type)
    if make is None:
        return None
    fields: dict[str, Any] = {
        "id": where,
        "time": event.time,
        "client": event.src_ip,
        "client_port": event.src_port,
        "server": event.dest_ip,
        "port": event.dest_port,
    }
    return msgspec.convert(fields | make(event), FlowRecord)


def _http(event: Event) -> dict[str, Any]:
    told = event.http
    host, path = target(told)
    status = _number(told.get("status"))
    return {
        "kind": "http",
        "phase": "response" if status else "request",
        "scheme": "http",
        "host": host or event.dest_ip,
        "method": str(told.get("http_method", "")),
        "path": path,
        "http_version": str(told.get("protocol", "")),
        "request_headers": _headers(
            told, "request_headers", {"User-Agent": "http_user_agent", "Referer": "http_refer", "Host": "hostname"}
        ),
        "status": status,
        "response_headers": _headers(
            told, "response_headers", {"Content-Type": "http_content_type", "Location": "redirect"}
        ),
        "bytes_down": _number(told.get("length")),
    }


def target(told: dict[str, Any]) -> tuple[str, str]:
    """Host and path of an event's `http` part. A client asks a proxy for absolute addresses."""
    host, url = authority(str(told.get("hostname", "")))[0], str(told.get("url", ""))
    if url and not url.startswith("/") and "://" in url:
        address = split(url)
        return address.host or host, address.path
    return host, url


def _tls(event: Event) -> dict[str, Any]:
    told = event.tls
    sni, offers = str(told.get("sni", "")), told.get("client_alpns") or ()
    return {
        "kind": "tls",
        "phase": "connect",
        "host": sni or event.dest_ip,
        "sni": sni,
        "alpn": tuple(str(name) for name in offers),
        "ja4": str(told.get("ja4", "")),
    }


def _dns(event: Event) -> dict[str, Any]:
    told = event.dns
    answered = told.get("type") in ("answer", "response")
    # Of an answer some versions give the ends as the question had them, others as the packet has them.
    swapped = answered and event.src_port == 53
    return {
        "kind": "dns",
        "phase": "response" if answered else "request",
        "qname": question(told),
        "qtype": question(told, "rrtype"),
        "rcode": str(told.get("rcode", "")),
        "answers": tuple(str(answer.get("rdata", "")) for answer in told.get("answers") or ()),
    } | (
        {"client": event.dest_ip, "client_port": event.dest_port, "server": event.src_ip, "port": 53} if swapped else {}
    )


def question(told: dict[str, Any], field: str = "rrname") -> str:
    """A field of what an event's `dns` part asks: of its first `queries` or `query`, else its own."""
    asked = told.get("queries") or told.get("query") or told
    return str((asked[0] if isinstance(asked, list) else asked).get(field, ""))


def _headers(told: dict[str, Any], dumped: str, plain: dict[str, str]) -> Headers:
    """All headers where the log dumps them, else those that have fields of their own."""
    if isinstance(found := told.get(dumped), list):
        return tuple((str(header["name"]), str(header.get("value", ""))) for header in found)
    return tuple((name, str(told[key])) for name, key in plain.items() if told.get(key))


def _number(told: Any) -> int:
    return told if isinstance(told, int) and not isinstance(told, bool) and told > 0 else 0

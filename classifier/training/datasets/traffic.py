"""Requests, payloads and captured flows as rows of their tables."""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any, Final, NamedTuple
from urllib.parse import unquote_plus

from classifier.records import ATTACKS, FlowRecord, Headers, Label
from classifier.training.datasets import labels, urls
from classifier.training.datasets.manifest import Source

PER_FILE: Final = 600
"""Flows of one kind kept of one capture: the first, so a beacon's periods stay whole; five times that of tunnels."""
PER_SHAPE: Final = 2
"""Harmless requests kept of one method, host, path shape and set of parameter names."""
_NUMBERS: Final = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "NULL": 10, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28} | {
    "SRV": 33,
    "HTTPS": 65,
    "ANY": 255,
}
_RCODES: Final = ("NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED")
_GUESSED: Final = ("template", "access-log")
"""Formats that tell what a file is for, not what each request in it is."""


class Item(NamedTuple):
    """A labelled value or flow of a source, and the file and repository it came from."""

    label: str
    original: str
    value: str | FlowRecord
    path: str
    repository: str


def capped[T](items: Iterable[T], limit: int, group: Callable[[T], Hashable], order: Callable[[T], str]) -> list[T]:
    """At most `limit` items of each group, chosen by a digest of `order` (all where the limit is 0), in order."""
    every = list(items)
    if not limit:
        return every
    seen = Counter[Hashable]()
    kept = set()
    for index in sorted(range(len(every)), key=lambda index: hashlib.sha256(order(every[index]).encode()).digest()):
        seen[group(every[index])] += 1
        if seen[group(every[index])] <= limit:
            kept.add(index)
    return [item for index, item in enumerate(every) if index in kept]


def payloads(items: Iterable[tuple[Source, Item]]) -> Iterator[dict[str, Any]]:
    """Values once each; one that sources call both harmless and hostile is left out. Split by normalised text."""
    named: dict[str, list[tuple[Source, Item]]] = {}
    for source, item in items:
        named.setdefault(str(item.value), []).append((source, item))
    for value, same in named.items():
        if len({item.label == Label.BENIGN for _, item in same}) == 2:
            continue
        source, item = same[0]
        yield {
            "payload": value.encode(errors="surrogatepass"),
            "label": item.label,
            "original_label": item.original,
            "source": item.repository,
            "licence": source.licence,
            "encoding": source.encoding,
            "context": source.context,
            "split_hint": urls.hint(_digitless(value)),
            "label_quality": "strong",
        }


def requests(items: Iterable[tuple[Source, Item]]) -> Iterator[dict[str, Any]]:
    """Requests: of attacks one of each digit-free text, of harmless ones `PER_SHAPE` of each shape. Split by group."""
    seen = Counter[Hashable]()
    for source, item in items:
        record = item.value
        assert isinstance(record, FlowRecord)
        written = _written(record)
        harmless = item.label == Label.BENIGN
        same = _shape(record) if harmless else (item.label, record.method, _digitless(written))
        seen[same] += 1
        if seen[same] > (PER_SHAPE if harmless else 1):
            continue
        group = item.path if source.format == "template" else record.host if harmless else _digitless(written)
        yield {
            "method": record.method,
            "scheme": record.scheme or None,
            "host": record.host,
            "path": record.path,
            "headers": _headers(record.request_headers),
            "body": record.request_body,
            "label": item.label,
            "original_label": item.original,
            "source": item.repository,
            "licence": source.licence,
            "group": group or item.path,
            "split_hint": urls.hint(group or item.path),
            "label_quality": _quality(source, item.label, written),
        }


def flows(items: Iterable[tuple[Source, Item]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(table, row) of captured flows: HTTP transactions, TLS greetings and DNS messages; other kinds are left out."""
    seen = Counter[Hashable]()
    for source, item in items:
        record = item.value
        assert isinstance(record, FlowRecord)
        shaped = _SHAPES.get(record.kind)
        if shaped is None or (record.kind == "http" and record.phase == "connect"):
            continue
        table, shape = shaped
        place = (table, item.repository, item.path)
        seen[place] += 1
        if seen[place] <= PER_FILE * (5 if item.label == "dns_tunnel" else 1):
            yield (
                table,
                shape(record)
                | {
                    "label": item.label,
                    "family": item.path.rpartition("/")[2].partition(".")[0],
                    "source_file": item.path,
                    "source_repo": item.repository,
                    "licence": source.licence,
                },
            )


def _transaction(record: FlowRecord) -> dict[str, Any]:
    return {
        "ts": record.time,
        "duration": record.seconds,
        "client": record.client,
        "server_port": record.port,
        "http_version": record.http_version,
        "method": record.method,
        "scheme": record.scheme,
        "host": record.host,
        "path": record.path,
        "req_headers": _headers(record.request_headers),
        "req_body": record.request_body,
        "status": record.status or None,
        "resp_headers": _headers(record.response_headers),
        "resp_body": record.response_body,
        "resp_size": record.bytes_down,
    }


def _handshake(record: FlowRecord) -> dict[str, Any]:
    return {
        "ts": record.time,
        "client": record.client,
        "server_port": record.port,
        "sni": record.sni or None,
        "alpn": list(record.alpn),
        "ja4": record.ja4,
    }


def _message(record: FlowRecord) -> dict[str, Any]:
    """A question, or an answer with its question: the importer joins the two."""
    number = _NUMBERS.get(record.qtype) or int(re.sub(r"\D", "", record.qtype) or 0)
    return {
        "ts": record.time,
        "client": record.client,
        "is_response": record.phase == "response",
        "rcode": _RCODES.index(record.rcode) if record.rcode in _RCODES else None,
        "qname": record.qname,
        "qtype": number,
        "answers": [{"type": number, "ttl": None, "value": value} for value in record.answers],
    }


_SHAPES: Final[dict[str, tuple[str, Callable[[FlowRecord], dict[str, Any]]]]] = {
    "http": ("transactions", _transaction),
    "tls": ("handshakes", _handshake),
    "dns": ("dns", _message),
}


def _headers(headers: Headers) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in headers]


def _written(record: FlowRecord) -> str:
    told = [value for name, value in record.request_headers if name.lower() not in ("host", "user-agent")]
    return "\n".join((record.path, *told, record.request_body.decode("latin-1")))


def _digitless(written: str) -> str:
    return re.sub(r"\d+", "0", unquote_plus(written).lower())


def _shape(record: FlowRecord) -> tuple[Hashable, ...]:
    path, _, query = record.path.partition("?")
    names = tuple(sorted({part.partition("=")[0] for part in query.split("&")}))
    return record.method, record.host, _digitless(path), names


def _quality(source: Source, label: str, written: str) -> str:
    doubtful = source.format in _GUESSED and label in (*ATTACKS, Label.SCANNER)
    return "weak" if doubtful and labels.signature(written) != label else "strong"

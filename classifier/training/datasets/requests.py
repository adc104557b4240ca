"""Requests: JSON of recorded requests, VCR and Betamax cassettes, access logs, and requests as text (CSIC 2010)."""

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Any, Final

from classifier.importers import BadLine
from classifier.importers.address import split
from classifier.records import BODY_CAP, FlowRecord, Headers, text
from classifier.training.datasets.files import File, Found
from classifier.training.datasets.manifest import Source
from classifier.training.datasets.tabular import json

_ACCESS: Final = re.compile(
    r'\S+ \S+ .*? \[[^\]]*\] "(?P<method>[A-Z]{3,10}) (?P<path>\S.*?)(?: HTTP/[\d.]+)?" (?P<status>\d{3})'
    r' \S+(?: "(?P<referer>(?:[^"\\]|\\.)*)" "(?P<agent>(?:[^"\\]|\\.)*)")?.*'
)
_START: Final = re.compile(r"^(?=(?:GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS) [^\n]+ HTTP/\d)", re.MULTILINE)


def recorded(file: File, _: Source) -> Iterator[Found | BadLine]:
    """A JSON list of `{method, url, headers, data}`, the form of open-appsec's comparison of firewalls."""
    for number, item in enumerate(json(file), 1):
        try:
            body = item.get("data") or ""
            yield Found(file.path, record(item["method"], item["url"], _pairs(item.get("headers")), str(body).encode()))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            yield BadLine(f"{file.path}#{number}", f"no request ({type(error).__name__}: {error})")


def cassette(file: File, _: Source) -> Iterator[Found | BadLine]:
    """The requests of a cassette (VCR for Ruby, Betamax for Python) in JSON."""
    for whole in json(file):
        exchanges = whole.get("http_interactions") if isinstance(whole, dict) else None
        if not isinstance(exchanges, list):
            raise ValueError("has no http_interactions")
        for number, exchange in enumerate(exchanges, 1):
            try:
                sent: dict[str, Any] = exchange["request"]
                body = _body(sent.get("body"))
                yield Found(file.path, record(sent["method"].upper(), sent["uri"], _pairs(sent.get("headers")), body))
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                yield BadLine(f"{file.path}#{number}", f"no request ({type(error).__name__}: {error})")


def access(file: File, _: Source) -> Iterator[Found | BadLine]:
    """Lines of the common and the combined log format; `original` is the status."""
    for number, line in enumerate(text(file.data).splitlines(), 1):
        entry = _ACCESS.fullmatch(line.strip())
        if entry:
            told = (("Referer", entry["referer"]), ("User-Agent", entry["agent"]))
            kept = tuple((name, value) for name, value in told if value and value != "-")
            yield Found(entry["status"], FlowRecord(method=entry["method"], path=entry["path"], request_headers=kept))
        elif line.strip():
            yield BadLine(f"{file.path}:{number}", "no line of an access log")


def written(file: File, _: Source) -> Iterator[Found | BadLine]:
    """Requests one after another as they are on the wire; what follows the blank line until the next is the body."""
    parts = _START.split(text(file.data).replace("\r\n", "\n"))[1:]
    if not parts:
        raise ValueError("holds no request")
    for number, part in enumerate(parts, 1):
        try:
            yield Found(file.path, parse(part))
        except ValueError as error:
            yield BadLine(f"{file.path}#{number}", str(error))


def parse(raw: str) -> FlowRecord:
    """A request as it is on the wire, with `\\n` ends. Raises ValueError."""
    head, _, body = raw.partition("\n\n")
    first, *rest = head.strip("\n").split("\n")
    words = first.split(" ")
    if len(words) < 2 or not words[0].isalpha():
        raise ValueError(f"no request line: {first[:60]!r}")
    target = " ".join(words[1:-1]) if words[-1].startswith("HTTP/") else " ".join(words[1:])
    headers = tuple(
        (name.strip(), value.strip()) for name, colon, value in (line.partition(":") for line in rest) if colon
    )
    return record(words[0].upper(), target, headers, body.rstrip("\n").encode())


def record(method: str, url: str, headers: Headers, body: bytes = b"") -> FlowRecord:
    """A request from its URL, whole or from the path on (its host is the Host header's then). Raises ValueError."""
    host = next((value for name, value in headers if name.lower() == "host"), "")
    request = FlowRecord(method=str(method), request_headers=headers, request_body=body[:BODY_CAP])
    if re.match(r"[a-z][a-z0-9+.-]*://", url, re.IGNORECASE):
        address = split(url)
        return _with(request, scheme=address.scheme, host=address.host, port=address.port, path=address.path)
    return _with(request, host=host, path=url if url.startswith("/") else f"/{url}")


def _with(request: FlowRecord, **fields: Any) -> FlowRecord:
    import msgspec

    return msgspec.structs.replace(request, **fields)


def _pairs(headers: Any) -> Headers:
    """Headers as an object (values may be lists) or as a list of pairs or `{name, value}`."""
    if isinstance(headers, dict):
        several = ((name, value if isinstance(value, list) else [value]) for name, value in headers.items())
        return tuple((str(name), str(value)) for name, values in several for value in values)
    pairs = (pair.values() if isinstance(pair, dict) else pair for pair in headers or ())
    return tuple((str(name), str(value)) for name, value in pairs)


def _body(told: Any) -> bytes:
    if not isinstance(told, dict):
        return str(told or "").encode()
    try:
        return (
            base64.b64decode(told["base64_string"])
            if "base64_string" in told
            else str(told.get("string") or "").encode()
        )
    except binascii.Error:
        raise ValueError("a body is not base64") from None

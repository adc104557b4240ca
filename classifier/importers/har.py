"""HTTP Archives (HAR 1.2): one record an entry, whatever a browser leaves out.

Pseudo headers of HTTP/2 (`:path`) are dropped: what they say is in fields of its own.
"""

import base64
import binascii
import io
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import msgspec

from classifier.importers import BadLine
from classifier.importers.address import split
from classifier.records import BODY_CAP, REPLY_CAP, FlowRecord, Headers


def read(file: io.BufferedReader, name: str) -> Iterator[FlowRecord | BadLine]:
    """The entries of an archive. An archive is one JSON value, so it is held in memory whole."""
    try:
        entries = msgspec.json.decode(file.read().removeprefix(b"\xef\xbb\xbf"))["log"]["entries"]
        if not isinstance(entries, list):
            raise TypeError("log.entries is not a list")
    except (msgspec.MsgspecError, UnicodeDecodeError, KeyError, TypeError) as error:
        yield BadLine(name, f"not a HAR file ({error})")
        return
    for number, entry in enumerate(entries, 1):
        where = f"{name}#{number}"
        try:
            yield record(entry, where)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            yield BadLine(where, f"not a HAR entry ({type(error).__name__}: {error})")


def record(entry: dict[str, Any], name: str) -> FlowRecord:
    """One entry as a record called `name`. Raises KeyError, TypeError, ValueError or AttributeError."""
    request = entry["request"]
    response = entry.get("response") or {}
    url = split(request["url"])
    status = max(int(response.get("status") or 0), 0)
    sent = _posted(request.get("postData") or {})
    content = response.get("content") or {}
    got = _content(content)
    return FlowRecord(
        id=name,
        kind="http",
        phase="response" if status else "request",
        time=_time(entry.get("startedDateTime")),
        host=url.host,
        port=url.port,
        scheme=url.scheme,
        method=str(request.get("method") or ""),
        path=url.path,
        http_version=_version(request.get("httpVersion")),
        request_headers=_headers(request.get("headers")),
        request_body=sent[:BODY_CAP],
        status=status,
        response_headers=_headers(response.get("headers")),
        response_body=got[:REPLY_CAP],
        bytes_up=_size(request.get("bodySize")) or len(sent),
        bytes_down=_size(response.get("bodySize")) or _size(content.get("size")) or len(got),
        seconds=max(float(entry.get("time") or 0), 0.0) / 1000,
    )


def _headers(pairs: list[Any] | None) -> Headers:
    """Headers as `{"name", "value"}` (browsers) or `[name, value]` (Slack)."""
    found = [(pair["name"], pair["value"]) if isinstance(pair, dict) else (pair[0], pair[1]) for pair in pairs or ()]
    return tuple((str(name), str(value)) for name, value in found if not str(name).startswith(":"))


def _posted(data: dict[str, Any]) -> bytes:
    """The body sent: its text, else its form fields."""
    text = data.get("text")
    if not text and data.get("params"):
        text = urlencode([(field["name"], field.get("value") or "") for field in data["params"]])
    return _bytes(str(text or ""), data.get("encoding"))


def _content(content: dict[str, Any]) -> bytes:
    return _bytes(str(content.get("text") or ""), content.get("encoding"))


def _bytes(text: str, encoding: str | None) -> bytes:
    if encoding == "base64":
        try:
            return base64.b64decode(text)
        except binascii.Error:
            raise ValueError("a body is not base64") from None
    return text.encode()


def _time(started: str | None) -> float:
    return datetime.fromisoformat(started).timestamp() if started else 0.0


def _version(told: str | None) -> str:
    """Browsers write `h2`, `http/2.0` and `HTTP/2` for the same thing."""
    name = (told or "").upper().replace("QUIC", "3")
    digits = name.removeprefix("HTTP/").removeprefix("H")
    return {"2": "HTTP/2.0", "2.0": "HTTP/2.0", "3": "HTTP/3", "": ""}.get(digits, f"HTTP/{digits}")


def _size(told: Any) -> int:
    return told if isinstance(told, int) and told > 0 else 0

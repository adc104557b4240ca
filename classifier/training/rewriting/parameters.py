"""The values of a request, wherever they travel, and a way to change them in their places.

Places: parameters of the query, fields of a form, strings of a JSON body, fields of a multipart form, cookies,
headers that programs fill in freely, and the part of the path that is a value. `changed` decodes each value, changes
it and encodes it again as its place demands.
"""

import json
import re
from collections.abc import Callable
from functools import partial
from typing import Final, Literal
from urllib.parse import quote, quote_plus, unquote, unquote_plus

import msgspec

from classifier.records import FlowRecord, text
from classifier.training.carriers import FORM

Change = Callable[[str], str]
Wire = Literal["", "url", "json"]
"""What a changed value is: plain text, or already encoded for a URL or for a JSON string."""

_SYNTAX: Final = re.compile(r"(?is)[<>'\"`|;(\0]|\$\{|\.\.|--|/\*|:/|&&|\b(?:or|and|union)\b.{0,40}=")
"""What attacks have and most values have not. Where some values of a request have it, only they are changed."""
_LOUD: Final = re.compile(r"[<>'\"`|]|\$[({]|\.\.[/\\]|--|/\*|\(\)\s*\{")
"""The same for headers, where brackets and semicolons are the rule."""
_PART: Final = re.compile(
    r"(content-disposition:[^\r\n]*\bname=(?![^\r\n]*filename)[^\r\n]*\r?\n\r?\n)(.*?)(?=\r?\n--)", re.I | re.S
)
_MARK: Final = "\ue000"


def changed(record: FlowRecord, change: Change, wire: Wire = "") -> FlowRecord:
    """The record with its values changed; the record itself where `change` changes none of them."""
    found: list[str] = []
    _visit(record, _collector(found), "")
    if any(map(_SYNTAX.search, found)):
        return _visit(record, lambda value: change(value) if _SYNTAX.search(value) else value, wire)
    return _visit(record, change, wire)


def content_type(record: FlowRecord) -> str:
    """The body's declared type in small letters, without parameters."""
    for name, value in record.request_headers:
        if name.lower() == "content-type":
            return value.partition(";")[0].strip().lower()
    return ""


def is_form(record: FlowRecord) -> bool:
    """Whether the body is a form of names and values."""
    if not record.request_body:
        return False
    kind = content_type(record)
    return kind == FORM or (not kind and re.match(rb"[\w.\[\]%-]+=", record.request_body) is not None)


def json_body(record: FlowRecord) -> object:
    """The body read as JSON; None where it is none."""
    if record.request_body[:1] not in (b"{", b"["):
        return None
    try:
        return json.loads(record.request_body)
    except (ValueError, RecursionError):
        return None


def _collector(found: list[str]) -> Change:
    def keep(value: str) -> str:
        found.append(value)
        return value

    return keep


def _visit(record: FlowRecord, change: Change, wire: Wire) -> FlowRecord:
    head, mark, query = record.path.partition("?")
    path = _path(head, change, wire) + mark + _pairs(query, change, wire)
    headers = tuple((name, _header(name.lower(), value, change, wire)) for name, value in record.request_headers)
    body = _body(record, change, wire)
    if (path, headers, body) == (record.path, record.request_headers, record.request_body):
        return record
    return msgspec.structs.replace(record, path=path, request_headers=headers, request_body=body)


def _pairs(query: str, change: Change, wire: Wire) -> str:
    return "&".join(map(partial(_pair, change=change, wire=wire), query.split("&"))) if query else query


def _pair(pair: str, change: Change, wire: Wire) -> str:
    name, sign, value = pair.partition("=")
    return f"{name}={_url(value, change, wire)}" if sign else _url(pair, change, wire)


def _url(raw: str, change: Change, wire: Wire) -> str:
    plain = unquote_plus(raw, errors="surrogateescape")
    new = change(plain) if plain else plain
    if new == plain:
        return raw
    return new if wire == "url" else quote_plus(new, errors="surrogateescape")


def _path(raw: str, change: Change, wire: Wire) -> str:
    """The path from its first segment with syntax on is a value; else its last segment, where that is no plain name."""
    segments = raw.split("/")
    for index, segment in enumerate(segments):
        if _SYNTAX.search(unquote(segment)):
            return "/".join([*segments[:index], _segment("/".join(segments[index:]), change, wire)])
    if re.search(r"[^\w.~-]", unquote(segments[-1])):
        return "/".join([*segments[:-1], _segment(segments[-1], change, wire)])
    return raw


def _segment(raw: str, change: Change, wire: Wire) -> str:
    plain = unquote(raw, errors="surrogateescape")
    new = change(plain)
    if new == plain:
        return raw
    return new if wire == "url" else quote(new, safe="/:;=@,-_.~'()*!$\\", errors="surrogateescape")


def _header(name: str, value: str, change: Change, wire: Wire) -> str:
    if name == "cookie":
        return "; ".join(_cookie(piece, change, wire) for piece in value.split("; "))
    if name == "referer" and "?" in value:
        head, _, query = value.partition("?")
        return f"{head}?{_pairs(query, change, wire)}"
    if (name in ("user-agent", "referer") or name.startswith("x-")) and _LOUD.search(value):
        return _flat(change(value))
    return value


def _cookie(piece: str, change: Change, wire: Wire) -> str:
    name, sign, value = piece.partition("=")
    return f"{name}={_url(value, change, wire)}" if sign and _LOUD.search(unquote(value)) else piece


def _flat(value: str) -> str:
    """Headers end at a line's end."""
    return value.replace("\r", " ").replace("\n", " ").replace("\0", " ").encode("utf-8", "replace").decode()


def _body(record: FlowRecord, change: Change, wire: Wire) -> bytes:
    raw = record.request_body
    if is_form(record):
        return _pairs(text(raw), change, wire).encode()
    if content_type(record).startswith("multipart/"):
        return _PART.sub(lambda hit: hit[1] + _plain(hit[2], change), text(raw)).encode()
    data = json_body(record)
    return raw if data is None else _json(raw, data, change, wire)


def _plain(value: str, change: Change) -> str:
    return change(value).encode("utf-8", "replace").decode()


def _json(raw: bytes, data: object, change: Change, wire: Wire) -> bytes:
    """Strings are marked, and put in as the encoding has it: `json.dumps` would escape the escapes."""
    written: list[str] = []
    marked = _strings(data, written, change, wire)
    if not written:
        return raw
    separators = (", ", ": ") if b'": ' in raw else (",", ":")
    dumped = json.dumps(marked, ensure_ascii=False, separators=separators)
    return re.sub(f'"{_MARK}(\\d+){_MARK}"', lambda hit: f'"{written[int(hit[1])]}"', dumped).encode("utf-8", "replace")


def _strings(data: object, written: list[str], change: Change, wire: Wire) -> object:
    if isinstance(data, dict):
        return {name: _strings(value, written, change, wire) for name, value in data.items()}
    if isinstance(data, list):
        return [_strings(value, written, change, wire) for value in data]
    if not isinstance(data, str) or (new := change(data)) == data:
        return data
    written.append(new if wire == "json" else json.dumps(new, ensure_ascii=False)[1:-1])
    return f"{_MARK}{len(written) - 1}{_MARK}"

"""The text of a record, segment by segment, decoded: what the token windows are cut from.

What an encoding hides is seen twice: decoded in its own segment, and as it was written in `raw` where it was written
oddly. What base64 and hexadecimal values say stands in `decoded`. Both stand before the path, so that they are in the
first window however long the rest is.
"""

import re
from functools import lru_cache
from typing import Final, NamedTuple

from classifier.decoding import EXCERPT, MAX_WRAPPED, UNWRAPPED, decode, excerpt, is_plain, nested, wrapped
from classifier.recent import Recent, both, total
from classifier.records import BODY_CAP, FlowRecord, Headers

SEGMENTS: Final = (
    *("pad", "verb", "host", "decoded", "raw", "path", "query"),
    *("status", "reply", "answers", "body", "headers"),
)
"""Names of the segment numbers 0…11, in the order in which their text is laid out: what was asked and what came back
stand together in the first window."""

PATH_CAP: Final = 16 * 1024
HEADERS_CAP: Final = 32 * 1024
"""Bytes read of a path, of a query, and of all header values: more than servers take (8 to 16 KiB a target, 8 to 32
KiB of headers), and a bound on what a client can make the proxy do."""
REPLY: Final = 512
REPLY_BINARY: Final = 64
"""Bytes read of a response body that is text, and of one that is not (a NUL in its start says so)."""
STATUS: Final = 1024

_ROUTINE: Final = frozenset(
    "host connection content-length accept accept-encoding accept-charset cache-control pragma dnt te "
    "upgrade-insecure-requests keep-alive date if-modified-since if-none-match if-range range transfer-encoding "
    "upgrade expect sec-fetch-site sec-fetch-mode sec-fetch-dest sec-fetch-user sec-ch-ua sec-ch-ua-mobile "
    "sec-ch-ua-platform sec-websocket-key sec-websocket-version sec-websocket-extensions priority proxy-connection "
    "accept-language save-data".split()
)
"""Headers whose ordinary values say which program asked, not what it wants; only odd values of theirs are read."""
_ODD: Final = re.compile(r"[<>{}$'`\\|]|\.\./|\(\)|%[2357][0-9A-Fa-f]")
_FORM: Final = re.compile(rb"[\w.$%+\[\]-]{1,128}=")
_JSON: Final = re.compile(rb"\s*[{\[\"]")


class _Asked(NamedTuple):
    """What a request's path and body say."""

    path: bytes
    query: bytes
    body: bytes
    rounds: int
    odd: list[bytes]
    """An excerpt of each that is written oddly."""
    wrapped: list[bytes]
    """What their base64 and hexadecimal values say."""


class _Value(NamedTuple):
    """The value of one header, as far as it is read."""

    raw: bytes
    text: bytes
    rounds: int
    simple: bool
    """Whether it reads the same beside others: nothing but one round of percent escapes was peeled, if any."""
    wrapped: list[bytes]


class _Read(NamedTuple):
    """The values of a request's headers, as far as they are read."""

    text: bytes
    rounds: int
    odd: list[bytes]
    wrapped: list[bytes]


def texts(record: FlowRecord) -> tuple[list[bytes], int]:
    """The bytes of each segment (index = segment number), and how many decoding rounds the request took."""
    path, query, body, rounds, odd, hidden = _REQUESTS[record.path, (record.message or record.request_body)[:BODY_CAP]]
    headers = _LISTS[record.request_headers]
    if headers.odd:
        odd = odd + headers.odd
    if headers.wrapped:
        hidden = hidden + headers.wrapped[: MAX_WRAPPED - len(hidden)]
    return [
        b"",
        _verb(record),
        _bare(record.site),
        b"\n".join(nested(hidden))[:UNWRAPPED] if hidden else b"",
        b"\n".join(odd)[: 2 * EXCERPT] if odd else b"",
        path,
        query,
        _status(record) if record.status or record.kind == "dns" else b"",
        _reply(record.response_body) if record.response_body else b"",
        _utf8("\n".join(record.answers)) if record.answers else b"",
        body,
        headers.text,
    ], max(rounds, headers.rounds)


def _ask(key: tuple[str, bytes]) -> _Asked:
    """Of a path and a body."""
    target, body = key
    path, _, query = target.partition("?")
    raws = (
        _utf8(query)[:PATH_CAP].replace(b"+", b" "),
        _utf8(path)[:PATH_CAP],
        body.replace(b"+", b" ") if b"+" in body and _FORM.match(body) else body,
    )
    written = b"\n".join(raws)
    if is_plain(written):
        return _Asked(raws[1], raws[0], raws[2], 0, [], wrapped(written))
    json = b"\\" in body and _JSON.match(body) is not None
    asked = (decode(raws[0]), decode(raws[1]), decode(raws[2], json=json))
    seen_query, seen_path, seen_body = asked[0].text, asked[1].text, asked[2].text
    odd = [excerpt(raw) for raw, found in zip(raws, asked, strict=True) if found.odd]
    hidden = wrapped(b"\n".join((seen_query, seen_path, seen_body)))
    return _Asked(seen_path, seen_query, seen_body, max(asked[0].rounds, asked[1].rounds, asked[2].rounds), odd, hidden)


_REQUESTS: Final = Recent(_ask, both, 1 << 19)
"""A request is read when it is asked and again when it is answered."""


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _verb(record: FlowRecord) -> bytes:
    if record.kind == "http":
        return _utf8(record.method)[:16]
    if record.kind == "dns":
        return _utf8(record.qtype)[:16]
    return _utf8(f"{' '.join(record.alpn)} {record.ja4}".strip())[:64]


def _bare(host: str) -> bytes:
    """Lower case, without `www.`: both say which list a name was copied from, not what it is."""
    return _utf8(host.lower().removeprefix("www.")[:256])


def _read(headers: Headers) -> _Read:
    """Values, not names: a model that reads header names learns "not a browser" and nothing else."""
    values = [value for value in map(_VALUES.__getitem__, headers) if value is not None]
    size, rounds, simple = len(values), 0, True
    hidden: list[bytes] = []
    for value in values:
        size += len(value.raw)
        simple = simple and value.simple
        if value.rounds > rounds:
            rounds = value.rounds
        if value.wrapped:
            hidden += value.wrapped
    if not simple or size > HEADERS_CAP:
        return _TOGETHER[tuple([value.raw for value in values])]
    return _Read(b"\n".join([value.text for value in values]), rounds, [], hidden[:MAX_WRAPPED])


def _read_together(values: tuple[bytes, ...]) -> _Read:
    """Of values of which some are written in a way that takes several rounds: the rounds are those of all."""
    raw = b"\n".join(values)[:HEADERS_CAP]
    found = decode(raw)
    return _Read(found.text, found.rounds, [excerpt(raw)] if found.odd else [], wrapped(found.text))


def _value(header: tuple[str, str]) -> _Value | None:
    """Of a name and a value; None where nothing of it is read."""
    name, value = header
    raw = _utf8(value) if not _routine(name) or _ODD.search(value) else b""
    if not raw:
        return None
    text, rounds, odd = decode(raw)
    simple = not odd and (rounds == 0 or (rounds == 1 and b"\\" not in raw)) and b"%u" not in raw and b"%U" not in raw
    return _Value(raw, text, rounds, simple, wrapped(text))


_VALUES: Final = Recent(_value, both, 1 << 18)
_LISTS: Final = Recent(_read, total, 1 << 18)
_TOGETHER: Final = Recent(_read_together, lambda values: sum(map(len, values)), 1 << 17)


@lru_cache(maxsize=1024)
def _routine(name: str) -> bool:
    return name.lower() in _ROUTINE or name.startswith(":")


def _status(record: FlowRecord) -> bytes:
    if record.kind == "dns":
        return _utf8(record.rcode)[:16]
    told = [value for name, value in record.response_headers if name.lower() in ("content-type", "location")]
    return _utf8("\n".join([str(record.status), *told]))[:STATUS]


def _reply(body: bytes) -> bytes:
    """The start of the answer; of something binary only enough to see what it is."""
    return body[:REPLY_BINARY] if b"\x00" in body[:REPLY_BINARY] else body[:REPLY]

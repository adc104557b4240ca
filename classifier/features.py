"""Records as the model sees them: token windows and a few numbers, and the digest that names this schema.

Runs on every scored flow and on every training row; training and serving share it, so there is no skew.

    record ── mask ──▶ masked record ── vectorize ──▶ Features(tokens [W, L], numbers [F])

Rules of this file:
1. Secrets are masked first, and a masked record gives the same features again: `extract(mask(r)) == extract(r)`.
2. A token is `segment * 256 + byte`; 0 is padding. The text is decoded (percent-encoding, plus signs) before it is cut.
3. Long text becomes several windows that overlap; the record is as bad as its worst window.
4. Anything that changes what comes out of `vectorize` changes `SCHEMA`, because the digest hashes behaviour.
"""

import hashlib
import ipaddress
import math
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

import numpy as np
import numpy.typing as npt

from classifier.masking import mask
from classifier.records import BODY_CAP, FlowRecord, Headers

WINDOW: Final = 1024
"""Tokens of one window."""
STEP: Final = 768
"""Tokens between the starts of two windows: an attack of up to 256 bytes is always whole in one of them."""
BLOCK: Final = 32
"""Window lengths are padded to a multiple of this, so that the session sees few shapes."""
REPLY: Final = 512
REPLY_BINARY: Final = 64
"""Bytes read of a response body that is text, and of one that is not (a NUL in its start says so)."""
MAX_DECODE: Final = 3
"""Rounds of percent-decoding: double encoding is common in attacks, deeper nesting is not seen."""

SEGMENTS: Final = ("pad", "verb", "host", "path", "query", "status", "reply", "answers", "body", "headers")
"""Names of the segment numbers 0…9, in the order in which their text is laid out: what was asked and what came back
stand together in the first window."""

_ROUTINE: Final = frozenset(
    "host connection content-length accept accept-encoding accept-charset cache-control pragma dnt te "
    "upgrade-insecure-requests keep-alive date if-modified-since if-none-match if-range range transfer-encoding "
    "upgrade expect sec-fetch-site sec-fetch-mode sec-fetch-dest sec-fetch-user sec-ch-ua sec-ch-ua-mobile "
    "sec-ch-ua-platform sec-websocket-key sec-websocket-version sec-websocket-extensions priority proxy-connection "
    "accept-language save-data".split()
)
"""Headers whose ordinary values say which program asked, not what it wants; only odd values of theirs are read."""
_ODD: Final = re.compile(r"[<>{}$'`\\|]|\.\./|\(\)")
_SYMBOLS: Final = b"<>'\"();{}$|&`\\*[]#!^~"
_DIGITS: Final = b"0123456789"
_VOWELS: Final = b"aeiou"
_EXECUTABLE: Final = (b"MZ", b"\x7fELF", b"\xca\xfe\xba\xbe", b"\xcf\xfa\xed\xfe", b"dex\n", b"\xd0\xcf\x11\xe0")
_ARCHIVE: Final = (b"PK\x03\x04", b"Rar!", b"7z\xbc\xaf", b"\x1f\x8b", b"MSCF")
_MAGIC: Final = (
    (b"\xff\xd8\xff", "image"), (b"\x89PNG", "image"), (b"GIF8", "image"), (b"RIFF", "image"),
    (b"%PDF", "pdf"), (b"<!DOC", "html"), (b"<html", "html"), (b"<!doc", "html"), (b"{", "json"), (b"<?xml", "xml"),
)  # fmt: skip

NUMBERS: Final = (
    "kind_http", "kind_tls", "kind_dns", "kind_tcp", "kind_websocket",
    "phase_connect", "phase_request", "phase_response", "phase_end",
    "host_length", "host_labels", "host_digits", "host_vowels", "host_entropy", "host_longest_label", "host_is_ip",
    "host_hyphens", "port_unusual",
    "path_length", "path_depth", "query_length", "query_parameters", "headers_length", "body_length",
    "escapes", "decode_rounds", "symbols", "non_ascii", "digits", "entropy",
    "status_2xx", "status_3xx", "status_4xx", "status_5xx", "reply_length",
    "reply_executable", "reply_archive", "reply_type_contradicts",
)  # fmt: skip
"""Names of the numeric features; lengths and counts are log1p, shares are 0…1, entropies bits per byte over 8."""

_KINDS: Final = {kind: index for index, kind in enumerate(("http", "tls", "dns", "tcp", "websocket"))}
_PHASES: Final = {phase: 5 + index for index, phase in enumerate(("connect", "request", "response", "end"))}

Tokens = npt.NDArray[np.int32]
Numbers = npt.NDArray[np.float32]


class Features(NamedTuple):
    """One record for the model."""

    tokens: Tokens
    """int32 [W, L], L a multiple of `BLOCK`; 0 is padding."""
    numbers: Numbers
    """float32 [F], F = len(NUMBERS)."""


def extract(record: FlowRecord) -> Features:
    """Mask, then vectorize. Total: any record gives features, none raises."""
    return vectorize(mask(record))


def vectorize(masked: FlowRecord) -> Features:
    """Features of a record that is masked already."""
    texts, rounds = _texts(masked)
    return Features(_windows(texts), _numbers(masked, texts, rounds))


def stack(rows: Sequence[Features]) -> tuple[Tokens, Numbers, npt.NDArray[np.int64]]:
    """Lay the windows of many records into one batch.

    Returns tokens int32 [R, L] (padded to the longest), numbers float32 [R, F], owner int64 [R]
    (the index in `rows` that each window belongs to).
    """
    counts = [len(row.tokens) for row in rows]
    length = max((row.tokens.shape[1] for row in rows), default=BLOCK)
    tokens = np.zeros((sum(counts), length), np.int32)
    start = 0
    for row, count in zip(rows, counts, strict=True):
        tokens[start : start + count, : row.tokens.shape[1]] = row.tokens
        start += count
    owner = np.repeat(np.arange(len(rows), dtype=np.int64), counts)
    numbers = np.stack([row.numbers for row in rows]) if rows else np.zeros((0, len(NUMBERS)), np.float32)
    return tokens, numbers[owner], owner


def operating_key(record: FlowRecord) -> str:
    """Which thresholds and temperature a record falls under: a bare domain and a full request do not compare."""
    return f"{record.kind}/{record.phase}"


# ── text ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _texts(record: FlowRecord) -> tuple[list[bytes], int]:
    """The bytes of each segment (index = segment number), and how many decoding rounds the request took."""
    path, _, query = record.path.partition("?")
    path_bytes, path_rounds = _decode(path.encode("utf-8", "replace"))
    query_bytes, query_rounds = _decode(query.replace("+", " ").encode("utf-8", "replace"))
    body, body_rounds = _request_body(record)
    texts = [
        b"",
        _verb(record),
        _bare(record.site).encode("utf-8", "replace"),
        path_bytes,
        query_bytes,
        _status_text(record),
        _reply(record.response_body),
        "\n".join(record.answers).encode("utf-8", "replace"),
        body,
        _header_text(record.request_headers),
    ]
    return texts, max(path_rounds, query_rounds, body_rounds)


def _verb(record: FlowRecord) -> bytes:
    if record.kind == "http":
        return record.method.encode("utf-8", "replace")[:16]
    if record.kind == "dns":
        return record.qtype.encode("utf-8", "replace")[:16]
    return f"{' '.join(record.alpn)} {record.ja4}".strip().encode("utf-8", "replace")[:64]


def _bare(host: str) -> str:
    """Lower case, without `www.`: both say which list a name was copied from, not what it is."""
    return host.lower().removeprefix("www.")[:256]


def _request_body(record: FlowRecord) -> tuple[bytes, int]:
    body = (record.message or record.request_body)[:BODY_CAP]
    if b"%" in body and b"=" in body and b"\x00" not in body[:64]:
        return _decode(body.replace(b"+", b" "))
    return body, 0


def _decode(raw: bytes) -> tuple[bytes, int]:
    """Percent-decode until nothing changes, at most `MAX_DECODE` times."""
    for rounds in range(MAX_DECODE):
        if b"%" not in raw:
            return raw, rounds
        decoded = unquote_to_bytes(raw)
        if decoded == raw:
            return raw, rounds
        raw = decoded
    return raw, MAX_DECODE


def _header_text(headers: Headers) -> bytes:
    """Values, not names: a model that reads header names learns "not a browser" and nothing else."""
    values = [value for name, value in headers if not _routine(name) or _ODD.search(value)]
    return "\n".join(values).encode("utf-8", "replace")[: 8 * WINDOW]


@lru_cache(maxsize=1024)
def _routine(name: str) -> bool:
    return name.lower() in _ROUTINE or name.startswith(":")


def _status_text(record: FlowRecord) -> bytes:
    if record.kind == "dns":
        return record.rcode.encode("utf-8", "replace")[:16]
    if not record.status:
        return b""
    told = [value for name, value in record.response_headers if name.lower() in ("content-type", "location")]
    return "\n".join([str(record.status), *told]).encode("utf-8", "replace")[:WINDOW]


def _reply(body: bytes) -> bytes:
    """The start of the answer; of something binary only enough to see what it is."""
    return body[:REPLY_BINARY] if b"\x00" in body[:REPLY_BINARY] else body[:REPLY]


# ── windows ─────────────────────────────────────────────────────────────────────────────────────────────────────

_OFFSETS: Final = np.arange(len(SEGMENTS), dtype=np.int32) * 256


def _windows(texts: list[bytes]) -> Tokens:
    joined = np.frombuffer(b"".join(texts), np.uint8)
    row = joined + np.repeat(_OFFSETS, [len(part) for part in texts])
    if len(row) <= WINDOW:
        length = max(BLOCK, -(-len(row) // BLOCK) * BLOCK)
        window = np.zeros((1, length), np.int32)
        window[0, : len(row)] = row
        return window
    count = 1 + -(-(len(row) - WINDOW) // STEP)
    padded = np.zeros(STEP * (count - 1) + WINDOW, np.int32)
    padded[: len(row)] = row
    return np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::STEP].copy()


# ── numbers ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _numbers(record: FlowRecord, texts: list[bytes], rounds: int) -> Numbers:
    _, _, host, path, query, _, reply, _, body, headers = texts
    numbers = np.zeros(len(NUMBERS), np.float32)
    numbers[_KINDS[record.kind]] = 1.0
    numbers[_PHASES[record.phase]] = 1.0
    numbers[9:17] = _host_numbers(host)
    asked = path + query + body[:WINDOW]
    numbers[17:30] = (
        record.port not in (0, 80, 443, 53, 8080, 8443),
        math.log1p(len(path)),
        math.log1p(path.count(b"/")),
        math.log1p(len(query)),
        math.log1p(query.count(b"=")),
        math.log1p(len(headers)),
        math.log1p(len(body)),
        math.log1p(record.path.count("%")),
        rounds,
        _share(asked, _SYMBOLS),
        _non_ascii(asked),
        _share(asked, _DIGITS),
        _entropy(asked),
    )
    if record.status:
        numbers[28 + min(max(record.status // 100, 2), 5)] = 1.0
    if reply:
        numbers[34:38] = _reply_numbers(record, reply)
    return numbers


@lru_cache(maxsize=4096)
def _host_numbers(host: bytes) -> tuple[float, ...]:
    labels = host.split(b".")
    return (
        math.log1p(len(host)),
        math.log1p(host.count(b".")),
        _share(host, _DIGITS),
        _share(host, _VOWELS),
        _entropy(host),
        math.log1p(max(map(len, labels))),
        _is_address(host),
        math.log1p(host.count(b"-")),
    )


def _reply_numbers(record: FlowRecord, reply: bytes) -> tuple[float, ...]:
    told = next((value.lower() for name, value in record.response_headers if name.lower() == "content-type"), "")
    shown = next((kind for magic, kind in _MAGIC if reply.startswith(magic)), "")
    executable = reply.startswith(_EXECUTABLE)
    contradicts = bool(told) and (
        (executable and not told.startswith("application/")) or (shown != "" and shown not in told)
    )
    return math.log1p(len(reply)), executable, reply.startswith(_ARCHIVE), contradicts


def _share(raw: bytes, alphabet: bytes) -> float:
    """Share of the bytes that are in `alphabet`. (`translate` with deletions is the fastest count there is.)"""
    return 1.0 - len(raw.translate(None, alphabet)) / len(raw) if raw else 0.0


def _non_ascii(raw: bytes) -> float:
    return 0.0 if raw.isascii() else _share(raw, _HIGH)


_HIGH: Final = bytes(range(128, 256))


def _entropy(raw: bytes) -> float:
    """Shannon entropy of the bytes over 8 bits, so 0…1."""
    if not raw:
        return 0.0
    counts = np.bincount(np.frombuffer(raw, np.uint8))
    shares = counts[counts > 0] / len(raw)
    return float(-(shares * np.log2(shares)).sum()) / 8.0


def _is_address(host: bytes) -> bool:
    if not (host[-1:].isdigit() or b":" in host):
        return False
    try:
        ipaddress.ip_address(host.decode("ascii", "replace").strip("[]"))
    except ValueError:
        return False
    return True


# ── the schema's name ───────────────────────────────────────────────────────────────────────────────────────────


def _samples() -> list[FlowRecord]:
    """Fixed records that exercise every segment and every number at least once."""
    browser: Headers = (("Host", "a"), ("User-Agent", "Mozilla/5.0"), ("Cookie", "sid=Ab3dEf9h"), ("Accept", "<x>"))
    return [
        FlowRecord(host="www.Example-one.com", phase="connect"),
        FlowRecord(host="203.0.113.9", port=4444, method="GET", path="/a/b%2e%2e/c?q=1%2527+or&r=\u00e9"),
        FlowRecord(host="h.example", method="POST", path="/p", request_headers=browser, request_body=b"a=%3Cb%3E&c=1"),
        FlowRecord(kind="websocket", host="h.example", message=b"{'x': 1}", phase="request"),
        FlowRecord(
            kind="tls", sni="s.example", alpn=("h2",), ja4="t13d1516h2_8daaf6152771_e5627efa2ab1", phase="connect"
        ),
        FlowRecord(kind="dns", qname="q.example", qtype="TXT", rcode="NOERROR", answers=("x", "y"), phase="response"),
        FlowRecord(kind="tcp", host="t.example", phase="end"),
        *(
            FlowRecord(host="h", path="/", phase="response", status=status, response_headers=kind, response_body=reply)
            for status, kind, reply in (
                (200, (("Content-Type", "image/png"),), b"MZ\x90"),
                (302, (("Location", "/x"),), b""),
                (404, (("Content-Type", "text/html"),), b"{}"),
                (500, (), b"PK\x03\x04"),
            )
        ),
        FlowRecord(host="h.example", path="/long", request_body=b"ab" * WINDOW),
        # masking is part of what comes out: one record of what it hides, and of what it must leave
        FlowRecord(
            path="/yoda-1-scaled-300x300?sid=Ab3dEf9hKm2pQr5t&u=0x7171787171&token=select&c=4111111111111111",
            request_headers=(
                ("Authorization", "Basic dXNlcjpodW50ZXIyJyBvciAxPTE="),
                ("Referer", "http://u:p@r.example"),
            ),
            request_body=b'{"password": "hunter2\' or 1=1--", "id": "9f86d081884c7d659a2feaa0c55ad015"}',
        ),
    ]


def _digest() -> str:
    digest = hashlib.sha256(repr((SEGMENTS, NUMBERS, WINDOW, STEP, BLOCK)).encode())
    for record in _samples():
        tokens, numbers = extract(record)
        digest.update(tokens.tobytes())
        digest.update(np.round(numbers.astype(np.float64), 3).tobytes())
    return digest.hexdigest()


SCHEMA: Final = _digest()
"""Names this schema in model files and capture rows."""

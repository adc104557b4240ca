"""Records as the model sees them: token windows and a few numbers, and the digest that names this schema.

Runs on every scored flow and on every training row; training and serving share it, so there is no skew.

    record ── mask ──▶ masked record ── vectorize ──▶ Features(tokens [W, L], numbers [F])

Rules of this file:
1. Secrets are masked first, and a masked record gives the same features again: `extract(mask(r)) == extract(r)`.
2. A token is `segment * 256 + byte`; 0 is padding. The text is decoded before it is cut (`texts`, `decoding`).
3. Long text becomes several windows that overlap; what is written oddly is read again (`reading`) in windows after
   those. The record is as bad as its worst window.
4. Anything that changes what comes out of `vectorize` changes `SCHEMA`, because the digest hashes behaviour.
"""

import hashlib
from collections.abc import Sequence
from operator import mul
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from classifier.decoding import EXCERPT, MAX_DECODE, UNWRAPPED
from classifier.masking import mask
from classifier.numbers import NUMBERS, Numbers, numbers
from classifier.reading import again
from classifier.records import BODY_CAP, REPLY_CAP, FlowRecord, Headers
from classifier.texts import HEADERS_CAP, PATH_CAP, SEGMENTS, texts

__all__ = ["BLOCK", "NUMBERS", "SCHEMA", "SEGMENTS", "STEP", "WINDOW", "Features", "Numbers", "Tokens", "extract"]
__all__ += ["fits", "operating_key", "stack", "vectorize"]

WINDOW: Final = 1024
"""Tokens of one window."""
STEP: Final = 768
"""Tokens between the starts of two windows: an attack of up to 256 bytes is always whole in one of them."""
BLOCK: Final = 32
"""Window lengths are padded to a multiple of this, so that the session sees few shapes."""

AGAIN: Final = 2
"""Windows of the second reading: it is short, or the first one has what lies beyond."""

_PLACES: Final = [bytes([segment]) for segment in range(len(SEGMENTS))]

Tokens = npt.NDArray[np.int32]


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
    found, rounds = texts(masked)
    tokens, read = _windows(found), again(found)
    if read is not None:
        tokens = _below(tokens, _windows(read)[:AGAIN])
    return Features(tokens, numbers(masked, found, rounds))


def fits(features: Features) -> bool:
    """Whether the text of a record, as it is written, fits one window; what is read again does not count."""
    tokens = features.tokens
    return len(tokens) == 1 or tokens.shape[1] < WINDOW or not tokens[0, -1]


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
    values = np.stack([row.numbers for row in rows]) if rows else np.zeros((0, len(NUMBERS)), np.float32)
    return tokens, values[owner], owner


def operating_key(record: FlowRecord) -> str:
    """Which thresholds and temperature a record falls under: a bare domain and a full request do not compare."""
    return f"{record.kind}/{record.phase}"


# ── windows ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _windows(found: list[bytes]) -> Tokens:
    """The texts as little-endian int32: the byte is the first byte of a token, its segment the second."""
    text = b"".join(found)
    size = len(text)
    count = 1 if size <= WINDOW else 1 + -(-(size - WINDOW) // STEP)
    length = WINDOW if count > 1 else max(BLOCK, -(-size // BLOCK) * BLOCK)
    row = bytearray(4 * (STEP * (count - 1) + length))
    row[0 : 4 * size : 4] = text
    row[1 : 4 * size : 4] = b"".join(map(mul, _PLACES, map(len, found)))
    # (`frombuffer` and `reshape` take longer.)
    windows: Tokens = np.ndarray((count, length), np.int32, row, 0, (4 * STEP if count > 1 else 4 * length, 4))
    # Windows overlap in this memory: they are copied apart, or writing to one would write to another.
    return windows if count == 1 else windows.copy()


def _below(first: Tokens, second: Tokens) -> Tokens:
    """Windows of two lengths, one below the other."""
    both = np.zeros((len(first) + len(second), max(first.shape[1], second.shape[1])), np.int32)
    both[: len(first), : first.shape[1]] = first
    both[len(first) :, : second.shape[1]] = second
    return both


# ── the schema's name ───────────────────────────────────────────────────────────────────────────────────────────


def _samples() -> list[FlowRecord]:
    """Fixed records that exercise every segment and every number at least once."""
    browser: Headers = (("Host", "a"), ("User-Agent", "Mozilla/5.0"), ("Cookie", "sid=Ab3dEf9h"), ("Accept", "<x>"))
    return [
        FlowRecord(host="www.Example-one.com", phase="connect"),
        FlowRecord(host="203.0.113.9", port=4444, method="GET", path="/a/b%2e%2e/c?q=1%2527+or&r=\u00e9"),
        FlowRecord(host="192.168.7.1", path="/%u002e%c0%af?q=&lt;%26%2360;\\u{3c}\\x3e%EF%BC%9C&h=0x3c7363726970743e"),
        FlowRecord(host="printer.lan", path="/", request_headers=(("X-A", "JyBvciAxPTEgLS0g%2541"),)),
        FlowRecord(
            host="h.example", request_body=b'{"a": "\\u003cb\\u00e9", "b": "PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg=="}'
        ),
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
        # what is read again: a comment, parameters of one name, base64, what a shell reads over, padding
        FlowRecord(path="/p?id=1/**/or/**/1=1&id=2&c=c%22a%22t$IFS/etc/passwd&s='a'%2b'b'%0bx"),
        FlowRecord(path="/p?state=PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==", request_body=b"a word " * 200 + b"' or 1=1"),
        FlowRecord(message=b"PK\x03\x04=1&id=1' or 1=1", kind="websocket"),
        FlowRecord(message=b"x\x9cKT(\xcf/JQH$\x93\x02\x00\xab=\x15F", kind="websocket"),
    ]


def _digest() -> str:
    caps = (BODY_CAP, REPLY_CAP, HEADERS_CAP, PATH_CAP, MAX_DECODE, UNWRAPPED, EXCERPT)
    digest = hashlib.sha256(repr((SEGMENTS, NUMBERS, WINDOW, STEP, BLOCK, caps)).encode())
    for record in _samples():
        tokens, numbers = extract(record)
        digest.update(tokens.tobytes())
        digest.update(np.round(numbers.astype(np.float64), 3).tobytes())
    return digest.hexdigest()


SCHEMA: Final = _digest()
"""Names this schema in model files and capture rows."""

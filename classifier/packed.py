"""Which bytes of a body are compressed, so that nobody can look inside: `blank_packed`.

A magic number alone proves nothing: `PK\\x03\\x04=1&id=1' union select …` is a form to the server that reads it. So
headers are checked, and data counts as compressed only as far as it can be decompressed (gzip RFC 1952, zlib RFC 1950,
bzip2, xz, deflate in zip APPNOTE 6.3.10), as its blocks reach (zstd RFC 8878, LZ4 frames 1.6) or, in 7z and RAR, where
it does not look like text. What follows, and what stands in the middle as plain text, is masked and scored as text.
"""

import bz2
import lzma
import re
import zlib
from collections.abc import Callable
from typing import Final, Protocol

MAGIC: Final = (
    *(b"\x1f\x8b", b"PK\x03\x04", b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18"),  # gzip, zip, zstd, lz4
    *(b"BZh", b"\xfd7zXZ", b"7z\xbc\xaf", b"Rar!\x1a\x07"),
    *(b"x\x01", b"x^", b"x\x9c", b"x\xda"),  # zlib
)
"""How compressed bodies begin."""
_LITERAL: Final = (b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18")
"""Formats that leave parts of a text as they are, perhaps without the name that makes them a secret: all is blanked."""
_KEPT: Final = 16
"""Bytes that are left of compressed data: they name the format."""
_STEP: Final = 64
_LARGEST: Final = 1 << 20
"""Bytes that are decompressed at most: what shrinks more than that is no secret."""
_TEXT: Final = bytes([*range(32, 127), 9, 10, 13])
_DENSE: Final = 0.3
"""Share of bytes that no ASCII text has; compressed data has 0.62."""
_LOOK: Final = 1024
_PLAIN: Final = re.compile(rb"[\t\n\r -~]{48,}")
"""Text that was stored, not compressed: compressed bytes come to look like this once in 10^20."""


class _Decompressor(Protocol):
    """What zlib, bz2 and lzma have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /, max_length: int) -> bytes: ...


def blank_packed(body: bytes) -> bytes:
    """The body with zeros for what is compressed, beyond the first bytes. Same length, idempotent."""
    start = 0
    while body.startswith(MAGIC, start):
        packed = body[start:]
        if not packed[_KEPT : 2 * _KEPT].strip(b"\x00"):
            return body  # blanked already, or nothing to hide
        size = _packed(packed)
        if size <= _KEPT:
            return body
        body = b"".join((body[:start], _blank(packed[:size]), body[start + size :]))
        start += size
    return body


def _blank(packed: bytes) -> bytes:
    out = bytearray(packed[:_KEPT]) + bytes(len(packed) - _KEPT)
    if not packed.startswith(_LITERAL):
        for plain in _PLAIN.finditer(packed, _KEPT):
            out[plain.start() : plain.end()] = plain[0]
    return bytes(out)


def _packed(body: bytes) -> int:
    """How many bytes from the start on are compressed data of one of the formats."""
    match body[:2]:
        case b"\x1f\x8b":
            return _inflated(body, lambda: zlib.decompressobj(31))
        case b"PK":
            return _zip(body)
        case b"BZ":
            return _inflated(body, bz2.BZ2Decompressor)
        case b"\xfd7":
            return _inflated(body, lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, 64 << 20))
        case b"\x28\xb5":
            return _zstd(body)
        case b"\x04\x22":
            return _lz4(body)
        case b"7z" | b"Ra":
            return len(body) if _is_dense(body[32:]) else 0
    return _inflated(body, zlib.decompressobj)


def _inflated(body: bytes, make: "Callable[[], _Decompressor]") -> int:
    """How far a body decompresses. The last step before an error is not counted: it may be text."""
    decompressor, written = make(), 0
    for start in range(0, len(body), _STEP):
        try:
            written += len(decompressor.decompress(body[start : start + _STEP], _LARGEST))
        except (zlib.error, OSError, lzma.LZMAError, ValueError):
            return start
        if decompressor.eof:
            return min(len(body), start + _STEP) - len(decompressor.unused_data)
        if written >= _LARGEST:
            return start + _STEP
    return len(body)


def _zip(body: bytes) -> int:
    """Data of the first entry with its header, where it is compressed; names of further ones are text."""
    method, size = _little(body, 8, 2), _little(body, 18, 4)
    start = 30 + _little(body, 26, 2) + _little(body, 28, 2)
    if _little(body, 4, 2) > 63 or start > _LOOK or method not in (8, 9, 12, 14, 93, 95, 98):
        return 0
    data = body[start:]
    if method == 8:
        size = _inflated(data, lambda: zlib.decompressobj(-15))
        size += 16 * data.startswith(b"PK\x07\x08", size)  # what a writer adds that cannot go back
    elif not _is_dense(data[:size]):
        size = 0
    return start + min(size, len(data)) if size else 0


def _zstd(body: bytes) -> int:
    """A frame header, then blocks whose heads tell their sizes (RFC 8878, 3.1.1)."""
    descriptor = body[4] if len(body) > 4 else 8
    if descriptor & 8:
        return 0
    single = descriptor >> 5 & 1
    position = 6 - single + (0, 1, 2, 4)[descriptor & 3] + (single, 2, 4, 8)[descriptor >> 6]
    while position + 3 <= len(body):
        head = _little(body, position, 3)
        kind, size = head >> 1 & 3, head >> 3
        if kind == 3 or size > 1 << 17:
            return 0
        position += 3 + (1 if kind == 1 else size)
        if head & 1:
            return min(len(body), position + (4 if descriptor & 4 else 0))
    return len(body)


def _lz4(body: bytes) -> int:
    """A frame descriptor, then blocks with their sizes until one of size 0 (LZ4 Frame Format 1.6.2)."""
    flags = body[4] if len(body) > 4 else 0
    if flags >> 6 != 1 or flags & 2:
        return 0
    position = 7 + (8 if flags & 8 else 0) + (4 if flags & 1 else 0)
    while position + 4 <= len(body):
        size = _little(body, position, 4) & 0x7FFFFFFF
        if size > 4 << 20:
            return 0
        position += 4 + size + (4 if size and flags & 16 else 0)
        if size == 0:
            return min(len(body), position + (4 if flags & 4 else 0))
    return len(body)


def _little(body: bytes, start: int, size: int) -> int:
    return int.from_bytes(body[start : start + size], "little")


def _is_dense(data: bytes) -> bool:
    head = data[:_LOOK]
    return len(head.translate(None, _TEXT)) > _DENSE * len(head)

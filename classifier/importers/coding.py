"""Content codings of HTTP bodies (RFC 9110 §8.4), decoded only as far as is looked at.

A body is cut at `BODY_CAP` after decoding, so a few kilobytes that unfold to gigabytes cost no more than any other.
"""

import zlib
from collections.abc import Callable
from typing import Final

from classifier.records import BODY_CAP


def decode(body: bytes, coding: str, limit: int = BODY_CAP) -> bytes:
    """The first `limit` bytes of a body with its codings (`gzip, br`) undone.

    A torn body gives what can be decoded; one that cannot be decoded at all is returned as it is, cut.
    """
    for name in reversed([part.strip().lower() for part in coding.split(",")]):
        decoder = _DECODERS.get(name)
        decoded = b"" if decoder is None else decoder(body, limit)
        body = decoded or body
    return body[:limit]


def _zlib(bits: int) -> Callable[[bytes, int], bytes]:
    def run(body: bytes, limit: int) -> bytes:
        decompressor = zlib.decompressobj(bits)
        # What is left over is copied, so that a long body is not handed over as a whole.
        read, out = 2 * limit, b""
        try:
            out = decompressor.decompress(body[:read], limit)
            while len(out) < limit and read < len(body) and not decompressor.eof:
                out += decompressor.decompress(body[read : read + limit], limit - len(out))
                read += limit
        except zlib.error:
            return b""
        return out

    return run


def _deflate(body: bytes, limit: int) -> bytes:
    # RFC 9110 §8.4.1.2: some send the bare deflate data without its zlib wrapper.
    return _zlib(15)(body, limit) or _zlib(-15)(body, limit)


def _brotli(body: bytes, limit: int) -> bytes:
    import brotli  # type: ignore[import-untyped]  # mitmproxy brings it

    decompressor, out = brotli.Decompressor(), b""
    try:
        for start in range(0, len(body), 1024):
            out += decompressor.process(body[start : start + 1024])
            if len(out) >= limit:
                break
    except brotli.error:
        pass
    return out[:limit]


def _zstd(body: bytes, limit: int) -> bytes:
    import zstandard  # mitmproxy brings it

    try:
        return zstandard.ZstdDecompressor().stream_reader(body).read(limit)
    except zstandard.ZstdError:
        return b""


_DECODERS: Final[dict[str, Callable[[bytes, int], bytes]]] = {
    "gzip": _zlib(31),
    "x-gzip": _zlib(31),
    "deflate": _deflate,
    "br": _brotli,
    "zstd": _zstd,
}

"""What the benchmark's origin answers, by method and path: pages, data, scripts, images, nothing, a redirection.

The bodies are made once from a seed, in sizes spread evenly on a logarithmic scale; text is compressed for those who
ask, as origins do. `status` tells the load generator what to expect, so that an error page is not taken for speed.
"""

import gzip
import json
import zlib
from random import Random
from typing import Final, NamedTuple

_BODIES: Final = 32
"""Different bodies of each kind."""
_WORDS: Final = (
    "the of a site page list item price order new more about value team report city light first home".split()
)


class Kind(NamedTuple):
    """One kind of answer; sizes in bytes before compression."""

    status: int
    type: str = ""
    smallest: int = 0
    largest: int = 0


_PAGE: Final = Kind(200, "text/html; charset=utf-8", 2_000, 60_000)
_DATA: Final = Kind(200, "application/json", 100, 12_000)
_NOTHING: Final = Kind(204)
_MOVED: Final = Kind(303)
_BY_SUFFIX: Final = {
    "js": Kind(200, "text/javascript", 1_000, 80_000),
    "css": Kind(200, "text/css", 500, 30_000),
    "svg": Kind(200, "image/svg+xml", 300, 4_000),
    "png": Kind(200, "image/png", 500, 40_000),
    "jpg": Kind(200, "image/jpeg", 2_000, 60_000),
    "woff2": Kind(200, "font/woff2", 8_000, 40_000),
}
_BINARY: Final = ("image/png", "image/jpeg", "font/woff2")


def kind(method: str, path: str) -> Kind:
    """The kind of the answer to a request."""
    if path.startswith("/collect"):
        return _NOTHING
    if path.startswith(("/api/", "/graphql")):
        return _DATA
    if method == "POST":
        return _MOVED
    return _BY_SUFFIX.get(path.rpartition(".")[2], _PAGE)


def status(method: str, path: str) -> int:
    """The status of the answer to a request."""
    return kind(method, path).status


class Replies:
    """Every answer, encoded. The same for the same seed."""

    def __init__(self, seed: int = 0) -> None:
        rng = Random(seed)
        kinds = (_PAGE, _DATA, _NOTHING, _MOVED, *_BY_SUFFIX.values())
        self._made = {kind: [_encode(rng, kind) for _ in range(_BODIES)] for kind in kinds}

    def reply(self, method: str, path: str, *, compressed: bool) -> bytes:
        """The answer to a request, head and body; always the same for a path."""
        pool = self._made[kind(method, path)]
        return pool[zlib.crc32(path.encode()) % len(pool)][compressed]


def _encode(rng: Random, kind: Kind) -> tuple[bytes, bytes]:
    """The answer as it is, and compressed."""
    headers = ["Date: Mon, 06 Jan 2025 10:00:00 GMT", "Server: origin"]
    if kind is _NOTHING:
        return (_message(kind, headers, b""),) * 2
    if kind is _MOVED:
        return (_message(kind, [*headers, "Location: /done", "Content-Length: 0"], b""),) * 2
    headers += [f"Content-Type: {kind.type}", f'ETag: "{rng.randbytes(8).hex()}"', "Cache-Control: max-age=600"]
    if kind in (_PAGE, _DATA):
        headers.append(f"Set-Cookie: visit={rng.randbytes(8).hex()}; Path=/; HttpOnly")
    body = _body(rng, kind)
    plain = _message(kind, [*headers, f"Content-Length: {len(body)}"], body)
    if kind.type in _BINARY:
        return plain, plain
    packed = gzip.compress(body, 6, mtime=0)
    packing = ["Content-Encoding: gzip", "Vary: Accept-Encoding", f"Content-Length: {len(packed)}"]
    return plain, _message(kind, [*headers, *packing], packed)


def _message(kind: Kind, headers: list[str], body: bytes) -> bytes:
    reasons = {200: "OK", 204: "No Content", 303: "See Other"}
    return "\r\n".join([f"HTTP/1.1 {kind.status} {reasons[kind.status]}", *headers, "", ""]).encode() + body


def _body(rng: Random, kind: Kind) -> bytes:
    size = round(kind.smallest * (kind.largest / kind.smallest) ** rng.random())
    if kind.type in _BINARY:
        return rng.randbytes(size)
    make = {_PAGE.type: _html, "image/svg+xml": _html, _DATA.type: _json}.get(kind.type, _code)
    parts: list[str] = []
    length = 0
    while length < size:
        parts.append(make(rng))
        length += len(parts[-1])
    if kind is _DATA:
        return f"[{','.join(parts)}]".encode()
    text = "\n".join(parts)
    return (f"<!doctype html><title>{_text(rng)}</title>\n{text}" if kind is _PAGE else text).encode()


def _text(rng: Random) -> str:
    return " ".join(rng.choices(_WORDS, k=rng.randint(3, 20)))


def _html(rng: Random) -> str:
    name = rng.choice(_WORDS)
    return f'<div class="{name}"><a href="/{name}/{rng.randrange(10**4)}">{_text(rng)}</a><p>{_text(rng)}</p></div>'


def _json(rng: Random) -> str:
    return json.dumps({"id": rng.randrange(10**6), "name": _text(rng), "ok": rng.random() < 0.5, "at": rng.random()})


def _code(rng: Random) -> str:
    return f".{rng.choice(_WORDS)}-{rng.randrange(100)} {{ margin: {rng.randrange(40)}px; /* {_text(rng)} */ }}"

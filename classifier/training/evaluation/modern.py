"""Harmless modern traffic that looks like attacks: what a filter is judged on, never trained on.

JSON APIs, GraphQL, tokens in parameters, people who write about SQL, HTML and shells, uploads, beacons, sign-in
redirects, package managers, devices, stack traces. The requests are made from `modern_requests.txt` with values from
`modern_values.txt`; both were written for measuring, independently of the grammars of `synthetic` that training uses,
and must stay so: what is taken from there, or given to there, measures nothing any more.

Harmless by construction: code and commands stand where people post, quote or search for text, in no position where a
server would run them; hosts are reserved names (RFC 2606, RFC 6761) or private addresses (RFC 1918).

In a template `«name»` is a value of that list or of a generator below, `«=name»` the same one throughout a request,
`«name:a:b»` a generator with arguments, and `«name|url|json»` a value written through filters, from left to right.
"""

import base64
import json
import random
import re
from collections.abc import Callable, Iterator
from functools import cache
from importlib import resources
from typing import Final, NamedTuple
from urllib.parse import quote, quote_plus, urlsplit
from uuid import UUID

from classifier.records import FlowRecord, Label

_SLOT: Final = re.compile(r"«(=?)([A-Za-z]+)((?::-?[0-9]+)*)((?:\|[a-z0-9]+)*)»")
_HEX: Final = "0123456789abcdef"
_NOW: Final = 1_780_000_000
"""Times lie in the two years before this one: the same seed gives the same requests at any time."""
_PIXEL: Final = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"


class Template(NamedTuple):
    """One kind of request, values left open."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: str


def modern(count: int, seed: int = 0) -> Iterator[tuple[str, FlowRecord]]:
    """`count` harmless requests, each with the name of its family, which take turns; the same for the same seed."""
    rng = random.Random(f"modern {seed}")
    found = families()
    names = list(found)
    for number in range(count):
        name = names[number % len(names)]
        templates = found[name]
        yield name, _request(templates[number // len(names) % len(templates)], rng)


@cache
def families() -> dict[str, list[Template]]:
    """Family → its templates."""
    sections = _sections("modern_requests.txt", "## ")
    return {name: [_template(part) for part in re.split(r"^---\n", text, flags=re.M)] for name, text in sections}


def _template(part: str) -> Template:
    head, _, body = part.strip("\n").partition("\n\n")
    first, *lines = head.split("\n")
    method, url = first.split(" ", 1)
    headers = [line.split(": ", 1) for line in lines]
    return Template(method, url, tuple((name, value) for name, value in headers), body)


@cache
def _values() -> dict[str, list[str]]:
    lists = _sections("modern_values.txt", "= ")
    return {name: [line.replace("⏎", "\n") for line in text.strip("\n").split("\n")] for name, text in lists}


def _sections(file: str, mark: str) -> list[tuple[str, str]]:
    """(name, text) of each part of a data file that a line `mark`name begins; what comes before the first is left."""
    text = resources.files(__package__).joinpath(file).read_text("utf-8")
    parts = re.split(rf"^{mark}(.+)\n", text, flags=re.M)
    return list(zip(parts[1::2], parts[2::2], strict=True))


def _request(template: Template, rng: random.Random) -> FlowRecord:
    filler = _Filler(rng)
    parts = urlsplit(filler.fill(template.url), allow_fragments=False)
    headers = [("Host", parts.netloc), *((name, filler.fill(value)) for name, value in template.headers)]
    body = template.body
    if any("multipart/" in value for _, value in headers):
        body = body.replace("\n", "\r\n") + "\r\n"  # before it is filled: what is uploaded stays as it is
    raw = filler.fill(body).encode("utf-8", "surrogateescape")
    if raw:
        headers.append(("Content-Length", str(len(raw))))
    return FlowRecord(
        method=template.method,
        scheme=parts.scheme,
        host=parts.hostname or "",
        port=parts.port or {"http": 80, "https": 443}[parts.scheme],
        path=(parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
        request_headers=tuple(headers),
        request_body=raw,
        label=Label.BENIGN,
    )


class _Filler:
    """Puts values into the slots of one request."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._kept: dict[str, str] = {}

    def fill(self, text: str) -> str:
        """`text` with a value in every slot. Raises KeyError for a name that nothing stands for."""
        return _SLOT.sub(self._slot, text)

    def _slot(self, match: re.Match[str]) -> str:
        same, name, arguments, filters = match.groups()
        if same and name in self._kept:
            value = self._kept[name]
        else:
            value = self._value(name, [int(each) for each in arguments.split(":")[1:]])
        if same:
            self._kept[name] = value
        for each in filters.split("|")[1:]:
            value = _FILTERS[each](value)
        return value

    def _value(self, name: str, arguments: list[int]) -> str:
        if name in _GENERATORS:
            return _GENERATORS[name](self._rng, *arguments)
        return self.fill(self._rng.choice(_values()[name]))


# ── generators and filters ──────────────────────────────────────────────────────────────────────────────────────


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _jwt(rng: random.Random) -> str:
    """Three parts of a signed token (RFC 7519); the signature is noise."""
    head = {"alg": rng.choice(("HS256", "RS256", "ES256")), "typ": "JWT", "kid": _hex(rng, 8)}
    claims = {"sub": str(rng.randrange(10**6)), "iss": "https://login.example.com/", "exp": rng.randrange(_NOW)}
    parts = [json.dumps(head).encode(), json.dumps(claims).encode(), rng.randbytes(32)]
    return ".".join(map(_base64url, parts))


def _hex(rng: random.Random, size: int) -> str:
    return "".join(rng.choices(_HEX, k=size))


def _date(rng: random.Random) -> str:
    return f"{rng.randint(2023, 2026)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"


def _noise(raw: bytes) -> str:
    """Bytes as text that encodes to them again."""
    return raw.decode("utf-8", "surrogateescape")


_GENERATORS: Final[dict[str, Callable[..., str]]] = {
    "int": lambda rng, low, high: str(rng.randint(low, high)),
    "digits": lambda rng, size: "".join(rng.choices("0123456789", k=size)),
    "hex": _hex,
    "HEX": lambda rng, size: _hex(rng, size).upper(),
    "b": lambda rng, size: _base64(rng.randbytes(size)),
    "bu": lambda rng, size: _base64url(rng.randbytes(size))[:size],
    "bytes": lambda rng, size: _noise(rng.randbytes(size)),
    "png": lambda rng: _noise(_PIXEL + rng.randbytes(rng.randint(200, 2000))),
    "uuid": lambda rng: str(UUID(bytes=rng.randbytes(16), version=4)),
    "jwt": _jwt,
    "date": _date,
    "iso": lambda rng: f"{_date(rng)}T{rng.randint(0, 23):02}:{rng.randint(0, 59):02}:00.{rng.randint(0, 999):03}Z",
    "epoch": lambda rng: str(_NOW - rng.randrange(63_000_000)),
    "boundary": lambda rng: _hex(rng, 16),
}

_FILTERS: Final[dict[str, Callable[[str], str]]] = {
    "url": lambda value: quote(value, safe=""),
    "form": quote_plus,
    "json": lambda value: json.dumps(value, ensure_ascii=False)[1:-1],
    "ascii": lambda value: json.dumps(value)[1:-1],
    "b64": lambda value: _base64(value.encode()),
    "b64u": lambda value: _base64url(value.encode()),
}

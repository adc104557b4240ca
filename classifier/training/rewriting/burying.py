"""Harmless text around the values of a request, for training: attacks that lie deep, and harmless rows alike.

Filters that read only the start of a request miss what comes after it. The evaluation pads with sentences and long
hexadecimal numbers before the values (`padding`); training uses other text in other shapes: values of harmless traffic,
common words, invented words, tokens and repeated letters; before, after, on both sides or inside of the value; in
queries, forms, JSON objects, multipart forms, cookies and other headers. The same is done to harmless requests, so
that length and padding say nothing.
"""

import base64
import json
import re
from collections.abc import Callable, Sequence
from random import Random
from typing import Final
from urllib.parse import quote, quote_plus

import msgspec

from classifier.records import BODY_CAP, FlowRecord, text
from classifier.training.carriers import NAMES, WORDS
from classifier.training.rewriting.parameters import changed, content_type, is_form, json_body, suspects

Fields = list[tuple[str, str]]
Filler = Callable[[Random, int], str]
SIZES: Final = (200, 14_000)
"""Bytes of padding, drawn evenly by their logarithm."""
_PATH_MOST: Final = 15_500
_INSIDE: Final = 0.25
"""Share of the requests with suspicious values that are padded within those values."""
_SYLLABLES: Final = "ba ke li mo nu ra se ti vo zu dan fer gol hin jas".split()
_ALPHABETS: Final = ("0123456789", "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", "abcdefghijklmnopqrstuvwxyz", "-._~", "01")


def buried(record: FlowRecord, rng: Random, values: Sequence[str] = ()) -> FlowRecord:
    """The request with harmless text around its values; the record itself where it has no place for any.

    `values` are texts of harmless traffic to pad with. What would push a body beyond what is looked at is left out.
    """
    size = int(SIZES[0] * (SIZES[1] / SIZES[0]) ** rng.random())
    fill = rng.choice((_tokens, _words, _invented, _repeated, *([_real(values)] * 3 if values else [])))
    if rng.random() < _INSIDE and suspects(record):
        new = _within(record, fill(rng, size), rng)
    else:
        places = [put for present, put in _PLACES if present(record)]
        new = rng.choice(places)(record, _fields(size, fill, rng), rng) if places else record
    return new if len(new.request_body) <= BODY_CAP and len(new.path) <= _PATH_MOST else record


def _fields(size: int, fill: Filler, rng: Random) -> Fields:
    """Names and texts of about `size` bytes: one long text, or many short ones."""
    longest = rng.choice((size, 40, 200, 1_000))
    fields: Fields = []
    while size > 0:
        fields.append((rng.choice(NAMES) + rng.choice(("", "", "_id", "s", "[]")), fill(rng, min(size, longest))))
        size -= len(fields[-1][0]) + len(fields[-1][1]) + 2
    return fields


def _within(record: FlowRecord, filling: str, rng: Random) -> FlowRecord:
    """Suspicious values with text before them, after them, or on both sides."""
    before, after = rng.choice(((filling, ""), (filling, ""), ("", filling), (filling, filling[:200])))
    return changed(record, lambda value: f"{before} {value} {after}".strip())


# ── text ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _real(values: Sequence[str]) -> Filler:
    def fill(rng: Random, size: int) -> str:
        return _joined(size, lambda: rng.choice(values)[:400])

    return fill


def _words(rng: Random, size: int) -> str:
    return _joined(size, lambda: rng.choice(WORDS))


def _invented(rng: Random, size: int) -> str:
    return _joined(size, lambda: "".join(rng.choices(_SYLLABLES, k=rng.randint(1, 4))))


def _tokens(rng: Random, size: int) -> str:
    if rng.random() < 0.4:
        return base64.b64encode(rng.randbytes(size)).decode()[:size]
    return "".join(rng.choices(rng.choice(_ALPHABETS), k=size))


def _repeated(rng: Random, size: int) -> str:
    piece = rng.choice(("A", "x", " ", "0", "test ", "-=", "aaaa,", "\u00e9"))
    return (piece * size)[:size]


def _joined(size: int, draw: Callable[[], str]) -> str:
    pieces: list[str] = []
    while size > 0:
        pieces.append(draw())
        size -= len(pieces[-1]) + 1
    return " ".join(pieces)


# ── places ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _around(own: list[str], more: list[str], rng: Random) -> list[str]:
    """`more` mostly before `own`, else after it or on both sides."""
    at = rng.choice((len(more), len(more), len(more), 0, rng.randint(0, len(more))))
    return [*more[:at], *own, *more[at:]]


def _urlencoded(fields: Fields) -> list[str]:
    return [f"{quote_plus(name)}={quote_plus(value, errors='replace')}" for name, value in fields]


def _in_query(record: FlowRecord, fields: Fields, rng: Random) -> FlowRecord:
    head, _, query = record.path.partition("?")
    return msgspec.structs.replace(record, path=f"{head}?" + "&".join(_around([query], _urlencoded(fields), rng)))


def _in_form(record: FlowRecord, fields: Fields, rng: Random) -> FlowRecord:
    pairs = _around([text(record.request_body)], _urlencoded(fields), rng)
    return msgspec.structs.replace(record, request_body="&".join(pairs).encode("utf-8", "replace"))


def _in_json(record: FlowRecord, fields: Fields, rng: Random) -> FlowRecord:
    """The object's own text stays as it is written."""
    own = text(record.request_body).strip()[1:-1].strip()
    more = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in fields]
    if rng.random() < 0.3:
        more = [f'"{rng.choice(NAMES)}": {json.dumps([value for _, value in fields])}']
    body = "{" + ", ".join(_around([own] if own else [], more, rng)) + "}"
    return msgspec.structs.replace(record, request_body=body.encode("utf-8", "replace"))


def _in_multipart(record: FlowRecord, fields: Fields, rng: Random) -> FlowRecord:
    """Parts before those of the form; now and then a file."""
    body = text(record.request_body)
    boundary = body.partition("\r\n")[0]
    file = '; filename="notes.txt"\r\nContent-Type: text/plain' if rng.random() < 0.3 else ""
    parts = "".join(
        f'{boundary}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n{value}\r\n'
        for name, value in fields
    )
    return msgspec.structs.replace(record, request_body=(parts + body).encode("utf-8", "replace"))


def _in_cookies(record: FlowRecord, fields: Fields, rng: Random) -> FlowRecord:
    more = [f"{name}={quote(value, errors='replace')}" for name, value in fields]
    headers = tuple(
        (name, "; ".join(_around([value], more, rng)) if name.lower() == "cookie" else value)
        for name, value in record.request_headers
    )
    return msgspec.structs.replace(record, request_headers=headers)


def _in_headers(record: FlowRecord, fields: Fields, rng: Random) -> FlowRecord:
    """Cookies or a long header of a program, before all others."""
    if rng.random() < 0.5:
        filling = "; ".join(f"{name}={quote(value, errors='replace')}" for name, value in fields)
        first = ("Cookie", filling)
    else:
        first = (f"X-{rng.choice(WORDS).title()}", re.sub(r"\s+", " ", " ".join(value for _, value in fields)))
    return msgspec.structs.replace(record, request_headers=(first, *record.request_headers))


def _has_cookies(record: FlowRecord) -> bool:
    return any(name.lower() == "cookie" for name, _ in record.request_headers)


_PLACES: Final[tuple[tuple[Callable[[FlowRecord], bool], Callable[[FlowRecord, Fields, Random], FlowRecord]], ...]] = (
    (lambda record: "=" in record.path.partition("?")[2], _in_query),
    (is_form, _in_form),
    (lambda record: isinstance(json_body(record), dict), _in_json),
    (
        lambda record: content_type(record).startswith("multipart/") and record.request_body.startswith(b"--"),
        _in_multipart,
    ),
    (_has_cookies, _in_cookies),
    (lambda record: bool(record.request_headers) and not _has_cookies(record), _in_headers),
)
"""Whether a request has a place, and how fields are put there."""

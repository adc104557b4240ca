"""Rewriting of a request as a whole: harmless parameters before the attack, and parameters that come in pieces.

Filters that read the first bytes miss what comes after them; filters that read parameters one by one miss what the
server joins (HTTP parameter pollution, Balduzzi et al. 2011: ASP joins parameters of one name by commas).
"""

import json
import re
from collections.abc import Callable
from random import Random
from typing import Final, Literal, NamedTuple
from urllib.parse import quote_plus, unquote_plus

import msgspec

from classifier.records import BODY_CAP, FlowRecord, text
from classifier.training.carriers import FORM, NAMES, WORDS
from classifier.training.rewriting.parameters import is_form, json_body

Fields = list[tuple[str, str]]
Place = Literal["query", "form", "json", "header"]
PLACES: Final[tuple[Place, ...]] = ("query", "form", "json", "header")
SIZES: Final = (2, 8, 15)
"""KiB of padding in the evaluation."""
_WORDS: Final = (
    "when morning came they walked down to the harbour where seven small boats lay and every sail had been mended "
    "by an old man who sold lamps oil rope paper tea bread and stories about winters long before electric light"
).split()
_WORN: Final = (100, 4_000)
"""Bytes of padding in training."""


class Changed(NamedTuple):
    """A request before and after: what is the same record twice has not changed.

    `before` differs from the request given where it had to be brought into another place first.
    """

    before: FlowRecord
    after: FlowRecord


Change = Callable[[FlowRecord, Random], Changed]


def worn(record: FlowRecord, rng: Random) -> Changed:
    """For training: short parameters of common words before those of the request, wherever these are."""
    size = rng.randint(*_WORN)
    fields: Fields = []
    while size > 0:
        fields.append((rng.choice(NAMES), rng.choice(WORDS) if rng.random() < 0.5 else str(rng.getrandbits(32))))
        size -= len(fields[-1][0]) + len(fields[-1][1]) + 2
    places: tuple[Place, ...] = ("form", "json", "query")
    place = next((place for place in places if _present(record, place)), None)
    return Changed(record, _before(record, place, fields) if place else record)


def overridden(record: FlowRecord, rng: Random) -> Changed:
    """For training: `id=attack` → `id=word&id=attack`; where the last one of a name counts, nothing changes."""
    return _split(record, lambda value: [rng.choice(WORDS), value] if re.search(r"\W", value) else [value])


def padding(place: Place, size: int) -> Change:
    """For the evaluation: at least `size` bytes of sentences and numbers before the values, which are in `place`.

    Values of a query or a form are brought there; in a header they become cookies. Nothing changes where there are
    no such values, or where they would lie beyond what is looked at of a body.
    """

    def change(record: FlowRecord, rng: Random) -> Changed:
        start = _moved(record, place)
        return Changed(start, _before(start, place, _sentences(size, rng))) if start else Changed(record, record)

    return change


def split_by_commas(record: FlowRecord, rng: Random) -> Changed:
    """`id=1,2` → `id=1&id=2`: the pieces that a server joins by commas."""
    return _split(record, lambda value: value.split(",")[:200])


def split_by_comments(record: FlowRecord, rng: Random) -> Changed:
    """`id=1 or 2` → `id=1/*&id=*/or/*&id=*/2`: the commas that join the pieces lie in comments."""

    def pieces(value: str) -> list[str]:
        words = value.split()[:200]
        last = len(words) - 1
        return [("*/" if at else "") + word + ("/*" if at < last else "") for at, word in enumerate(words)]

    return _split(record, pieces)


def _moved(record: FlowRecord, place: Place) -> FlowRecord | None:
    """The request with its values in `place`, or None. Cookies of its own are no values."""
    if place != "header" and _present(record, place):
        return record
    head, _, query = record.path.partition("?")
    pairs: Fields = _read(query) or (_read(text(record.request_body)) if is_form(record) else [])
    if not pairs or (record.request_body and not is_form(record)):
        return None
    return _FILL[place](msgspec.structs.replace(record, path=head, request_body=b""), pairs)


def _before(record: FlowRecord, place: Place, fields: Fields) -> FlowRecord:
    """The request with `fields` before its own; as it is where its own would not be looked at any more."""
    new = _PUT[place](record, fields)
    return new if len(new.request_body) <= BODY_CAP else record


def _split(record: FlowRecord, pieces: Callable[[str], list[str]]) -> Changed:
    head, mark, query = record.path.partition("?")
    path = head + mark + _split_pairs(query, pieces)
    body = record.request_body
    if is_form(record):
        body = _split_pairs(text(body), pieces).encode()
    if (path, body) == (record.path, record.request_body):
        return Changed(record, record)
    return Changed(record, msgspec.structs.replace(record, path=path, request_body=body))


def _split_pairs(query: str, pieces: Callable[[str], list[str]]) -> str:
    return "&".join(_split_pair(pair, pieces) for pair in query.split("&")) if query else query


def _split_pair(pair: str, pieces: Callable[[str], list[str]]) -> str:
    name, sign, value = pair.partition("=")
    parts = pieces(unquote_plus(value, errors="surrogateescape")) if sign and name else []
    if len(parts) < 2:
        return pair
    return "&".join(f"{name}={quote_plus(part, errors='surrogateescape')}" for part in parts)


# ── places ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _sentences(size: int, rng: Random) -> Fields:
    """Fields whose names and values have `size` bytes, with a name that no other has."""
    fields: Fields = []
    while size > 0:
        name = f"{rng.choice(NAMES)}{len(fields)}"
        words = " ".join(rng.choices(_WORDS, k=rng.randint(60, 150)))
        long = words if rng.random() < 0.7 else f"{rng.getrandbits(2400):0600x}"
        fields.append((name, long[: max(1, size - len(name))]))
        size -= len(name) + len(fields[-1][1])
    return fields


def _present(record: FlowRecord, place: Place) -> bool:
    match place:
        case "query":
            return "=" in record.path.partition("?")[2]
        case "form":
            return is_form(record)
        case "json":
            return isinstance(json_body(record), dict)
        case "header":
            return any(name.lower() == "cookie" for name, _ in record.request_headers)


def _read(query: str) -> Fields:
    pairs = [pair.partition("=") for pair in query.split("&") if pair]
    return [(name, unquote_plus(value)) for name, sign, value in pairs if sign]


def _urlencoded(fields: Fields) -> str:
    return "&".join(f"{name}={quote_plus(value)}" for name, value in fields)


def _cookies(fields: Fields) -> str:
    return "; ".join(f"{name}={quote_plus(value)}" for name, value in fields)


def _posted(record: FlowRecord, body: str, kind: str) -> FlowRecord:
    headers = tuple(pair for pair in record.request_headers if pair[0].lower() != "content-type")
    return msgspec.structs.replace(
        record,
        method="POST",
        request_headers=(*headers, ("Content-Type", kind)),
        request_body=body.encode("utf-8", "replace"),
    )


def _with_cookies(record: FlowRecord, fields: Fields) -> FlowRecord:
    return msgspec.structs.replace(record, request_headers=(*record.request_headers, ("Cookie", _cookies(fields))))


_FILL: Final[dict[Place, Callable[[FlowRecord, Fields], FlowRecord]]] = {
    "query": lambda record, fields: msgspec.structs.replace(
        record, method="GET", path=f"{record.path}?{_urlencoded(fields)}"
    ),
    "form": lambda record, fields: _posted(record, _urlencoded(fields), FORM),
    "json": lambda record, fields: _posted(record, json.dumps(dict(fields)), "application/json"),
    "header": _with_cookies,
}
"""How values are put into a place that is empty."""


def _before_query(record: FlowRecord, fields: Fields) -> FlowRecord:
    head, _, query = record.path.partition("?")
    return msgspec.structs.replace(record, path=f"{head}?{_urlencoded(fields)}&{query}")


def _before_form(record: FlowRecord, fields: Fields) -> FlowRecord:
    return msgspec.structs.replace(record, request_body=f"{_urlencoded(fields)}&".encode() + record.request_body)


def _before_json(record: FlowRecord, fields: Fields) -> FlowRecord:
    """The object's own text stays as it is written: only its opening brace moves."""
    first = json.dumps(dict(fields))[:-1]
    rest = record.request_body[1:].lstrip()
    return msgspec.structs.replace(record, request_body=f"{first}{'' if rest[:1] == b'}' else ', '}".encode() + rest)


def _before_cookies(record: FlowRecord, fields: Fields) -> FlowRecord:
    headers = tuple(
        (name, f"{_cookies(fields)}; {value}" if name.lower() == "cookie" else value)
        for name, value in record.request_headers
    )
    return msgspec.structs.replace(record, request_headers=headers)


_PUT: Final[dict[Place, Callable[[FlowRecord, Fields], FlowRecord]]] = {
    "query": _before_query,
    "form": _before_form,
    "json": _before_json,
    "header": _before_cookies,
}
"""How fields are put before what a place has."""

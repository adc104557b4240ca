"""A record taken apart into pieces that a person would name, and put together again without some of them.

    units(record)  ──▶ cuts: the host and its labels, the path and its segments, parameters, fields, headers, the answer
    locate(record, cut)  ──▶ the smallest named part around a cut: "query parameter `id`"
    without(record, cuts)  ──▶ the record as if those characters had never been sent

A cut is characters of one text of the record: of a field, or of one row (a header's value, an answer) of a field.
Bodies are read as UTF-8 where they are valid UTF-8, else as Latin-1, and written back in the same way.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Any, Final, NamedTuple

import msgspec

from classifier.records import FlowRecord, text

_SITE: Final = ("host", "sni", "qname")
_WHOLE: Final = {
    "method": "method", "ja4": "JA4", "qtype": "question type", "rcode": "answer code", "status": "status",
}  # fmt: skip
"""Fields that are removed whole or not at all: half a status says nothing."""
NOTHING_TOLD: Final = 200
"""What stands for a status that is taken out; 0 would say that there was no answer, so that its headers go too."""
_LONGEST: Final = 64
"""Characters of a field's name that are shown."""

_FORM: Final = re.compile(r"[\w.$%+\[\]-]{1,128}+=")
_JSON: Final = re.compile(r'"([^"\\]{1,64}+)"\s*+:\s*+(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[^\s,\[\]{}"]++)', re.DOTALL)
_MULTIPART: Final = re.compile(
    r"^content-disposition:[^\r\n]*?\bname=\"?([^\"\r\n;]*+)(?:(?!\r?\n--).)*+",
    re.IGNORECASE | re.MULTILINE | re.DOTALL,
)


class Cut(NamedTuple):
    """Characters `start` to `end` of a record's `field`; `row` counts headers and answers, else it is 0."""

    field: str
    row: int
    start: int
    end: int

    @property
    def size(self) -> int:
        """Characters."""
        return self.end - self.start

    @property
    def divisible(self) -> bool:
        """Whether a piece of it can be removed."""
        return self.field not in _WHOLE


class Part(NamedTuple):
    """A named piece of a record. Of two with the same name the second is `… (2)`."""

    name: str
    cut: Cut


def parts(record: FlowRecord) -> list[Part]:
    """Every part that is not empty, each before the parts inside it."""
    count: Counter[str] = Counter()
    found = []
    for name, cut in _named(record):
        if cut.size:
            count[name] += 1
            found.append(Part(name if count[name] == 1 else f"{name} ({count[name]})", cut))
    return found


def units(record: FlowRecord) -> list[Cut]:
    """What is removed first to see where a score comes from: the parts, then what has no name of its own."""
    named = [part.cut for part in parts(record)]
    finer = [piece for cut in named for piece in _pieces(read(record, cut), cut)]
    return list(dict.fromkeys((*named, *(piece for piece in finer if piece.size))))


def fields(record: FlowRecord, longest: int) -> list[Cut]:
    """The texts that a client or server may fill: path, query, header values and bodies, all but the site.

    One longer than `longest` characters comes in pieces of that length, each overlapping the one before by half.
    """
    named = [part.cut for part in parts(record)]
    outer = [
        cut
        for cut in named
        if cut.divisible and cut.field not in _SITE and not any(o != cut and _holds(o, cut) for o in named)
    ]
    return [piece for cut in outer for piece in _lengths(cut, longest)]


def locate(record: FlowRecord, cut: Cut) -> Part:
    """The smallest part that holds all of a cut that lies in a part."""
    return min((part for part in parts(record) if _holds(part.cut, cut)), key=lambda part: part.cut.size)


def whole(record: FlowRecord, name: str) -> str:
    """The text of the part of that name; empty where there is none."""
    return next((read(record, part.cut) for part in parts(record) if part.name == name), "")


def read(record: FlowRecord, cut: Cut) -> str:
    """The characters of a cut."""
    return _text(getattr(record, cut.field), cut.row)[cut.start : cut.end]


def without(record: FlowRecord, cuts: Sequence[Cut]) -> FlowRecord:
    """The record with all `cuts` taken out; they may overlap."""
    places: defaultdict[tuple[str, int], list[Cut]] = defaultdict(list)
    for cut in cuts:
        places[cut.field, cut.row].append(cut)
    changed: dict[str, Any] = {}
    for (field, row), removed in places.items():
        value = changed.get(field, getattr(record, field))
        changed[field] = _replaced(value, row, _remove(_text(value, row), removed))
    return msgspec.structs.replace(record, **changed)


def clear(cut: Cut, gone: Sequence[Cut]) -> list[Cut]:
    """What is left of a cut beside the pieces that have gone."""
    left, position = [], cut.start
    for other in sorted(each for each in gone if each[:2] == cut[:2] and each.end > cut.start and each.start < cut.end):
        left.append(cut._replace(start=position, end=other.start))
        position = max(position, other.end)
    left.append(cut._replace(start=position))
    return [piece for piece in left if piece.size > 0]


def joined(cuts: Iterable[Cut]) -> list[Cut]:
    """Cuts that touch as one, in the order of the record's texts."""
    whole: list[Cut] = []
    for cut in sorted(cuts):
        if whole and whole[-1][:2] == cut[:2] and whole[-1].end >= cut.start:
            whole[-1] = whole[-1]._replace(end=max(whole[-1].end, cut.end))
        else:
            whole.append(cut)
    return whole


def _holds(outer: Cut, inner: Cut) -> bool:
    return outer[:2] == inner[:2] and outer.start <= inner.start and inner.end <= outer.end


def _lengths(cut: Cut, longest: int) -> list[Cut]:
    step = longest // 2
    starts = range(cut.start, max(cut.end - step, cut.start + 1), step)
    return [cut._replace(start=start, end=min(start + longest, cut.end)) for start in starts]


# ── names ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _named(record: FlowRecord) -> Iterator[Part]:
    """In the order of the wire: what was asked, then what came back."""
    for field in _SITE:
        if site := getattr(record, field):
            yield Part("host", Cut(field, 0, 0, len(site)))
            break
    yield from _target(record.path)
    for row, (name, value) in enumerate(record.request_headers):
        yield Part(f"header {_short(name)}", Cut("request_headers", row, 0, len(value)))
    for field in ("message", "request_body"):
        yield from _body(field.removeprefix("request_"), field, text(getattr(record, field)))
    yield from (Part(name, Cut(field, 0, 0, _length(getattr(record, field)))) for field, name in _WHOLE.items())
    for row, name in enumerate(record.alpn):
        yield Part("ALPN", Cut("alpn", row, 0, len(name)))
    for row, (name, value) in enumerate(record.response_headers):
        yield Part(f"answer's header {_short(name)}", Cut("response_headers", row, 0, len(value)))
    yield from _body("answer", "response_body", text(record.response_body))
    for row, answer in enumerate(record.answers):
        yield Part("answer", Cut("answers", row, 0, len(answer)))


def _target(path: str) -> Iterator[Part]:
    resource, mark, query = path.partition("?")
    start = len(resource) + len(mark)
    yield Part("path", Cut("path", 0, 0, len(resource)))
    yield Part("query", Cut("path", 0, start, len(path)))
    yield from _form("query parameter", Cut("path", 0, start, len(path)), query)


def _body(name: str, field: str, content: str) -> Iterator[Part]:
    """A body and what it holds: a form's fields, else JSON members, else parts of multipart/form-data (RFC 7578)."""
    yield Part(name, Cut(field, 0, 0, len(content)))
    if _FORM.match(content):
        yield from _form(f"{name} field", Cut(field, 0, 0, len(content)), content)
        return
    for pattern in (_JSON, _MULTIPART):
        for match in pattern.finditer(content):
            yield Part(f"{name} field `{_short(match[1])}`", Cut(field, 0, *match.span()))


def _form(kind: str, around: Cut, content: str) -> Iterator[Part]:
    """`name=value` of each field; one without a sign has no name and stays part of the whole."""
    for cut, field in _split(around, content, "&"):
        name, equals, _ = field.partition("=")
        if equals:
            yield Part(f"{kind} `{_short(name)}`", cut)


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"


def _pieces(content: str, cut: Cut) -> Iterator[Cut]:
    """Labels of a host, segments of a path and cookies, each with its sign, so that none is left doubled."""
    if cut.field in _SITE:
        yield from (piece for piece, _ in _split(cut, content, ".", with_sign=True))
    elif cut.field == "path" and cut.start == 0:
        yield from (piece for piece, _ in _split(cut, content, "/", with_sign=True))
    elif cut.field == "request_headers" and ";" in content:
        yield from (piece for piece, _ in _split(cut, content, ";", with_sign=True))


def _split(around: Cut, content: str, sign: str, *, with_sign: bool = False) -> Iterator[tuple[Cut, str]]:
    """What stands between signs, as cuts and texts; `with_sign` takes the sign behind each along."""
    pieces = content.split(sign)
    ends = accumulate(len(piece) + 1 for piece in pieces)
    for piece, end in zip(pieces, ends, strict=True):
        start = around.start + end - 1 - len(piece)
        yield around._replace(start=start, end=min(around.start + end - (not with_sign), around.end)), piece


# ── values ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _length(value: str | int) -> int:
    return len(str(value)) if value else 0


def _text(value: Any, row: int) -> str:
    """The text of a field's value."""
    if isinstance(value, tuple):
        entry: str | tuple[str, str] = value[row]
        return entry if isinstance(entry, str) else entry[1]
    return text(value) if isinstance(value, bytes) else str(value)


def _replaced(value: Any, row: int, content: str) -> Any:
    """A field's value with another text in it."""
    if isinstance(value, tuple):
        entry = value[row]
        changed = content if isinstance(entry, str) else (entry[0], content)
        return (*value[:row], changed, *value[row + 1 :])
    if isinstance(value, bytes):
        return content.encode(_codec(value))
    return content if isinstance(value, str) else int(content or NOTHING_TOLD)


def _codec(raw: bytes) -> str:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"


def _remove(content: str, cuts: Sequence[Cut]) -> str:
    kept, position = [], 0
    for cut in sorted(cuts):
        kept.append(content[position : cut.start])
        position = max(position, cut.end)
    return "".join((*kept, content[position:]))

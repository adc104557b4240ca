"""Where a value travels in a request: query, form, JSON, path, cookie, header, posted text.

A payload list is not traffic. Each value, hostile or harmless, is put into the same carriers with the same
chances, so that the carrier gives nothing away; `base` is a real harmless request of some site whose own
parameters, cookies and headers stay around the value.
"""

import json
import random
from collections.abc import Callable
from typing import Final
from urllib.parse import quote, quote_plus

import msgspec

from classifier.records import FlowRecord, Headers, text

Place = Callable[[FlowRecord, str, random.Random], FlowRecord]

NAMES: Final = (
    "q id name search query page user email p s cat file path url redirect lang type sort order filter data value "
    "text title comment message msg content item product sku ref src key word term date from to view action cmd "
    "input param field code category tag topic year month num count limit offset callback next return host ip "
    "address city country phone subject body note description login username nick profile img image doc template"
).split()
WORDS: Final = (
    "api app account admin archive article assets auth blog cart catalog category checkout cms comment contact "
    "content data docs download edit events export feed files forum gallery help home images index info items "
    "library list login main media member menu messages news order page panel photo portal post product profile "
    "public report resource review search service settings shop site static store support system task team "
    "topic update upload user users v1 v2 video view web wiki"
).split()
EXTENSIONS: Final = ("", "", "", "", ".php", ".html", ".aspx", ".jsp", ".do", ".cgi", ".json")
HEADERS: Final = ("User-Agent", "Referer", "X-Forwarded-For", "X-Api-Version", "X-Requested-With", "Origin", "X-Client")
FORM: Final = "application/x-www-form-urlencoded"


def carry(value: str, rng: random.Random, base: FlowRecord | None = None, *, posted: bool = False) -> FlowRecord:
    """A request that carries `value`; in `base` where given, else in a plain one.

    `posted` values (prose, code, SQL that people post) go only where people post text.
    """
    record = base or blank(rng)
    places, weights = _POSTED if posted else _ANY
    return rng.choices(places, weights)[0](record, value, rng)


def blank(rng: random.Random) -> FlowRecord:
    """A plain request: a path of common words, perhaps a harmless parameter or two."""
    words = rng.sample(WORDS, rng.randint(1, 3))
    query = "&".join(f"{name}={rng.randint(0, 9999)}" for name in rng.sample(NAMES, rng.choice((0, 0, 0, 1, 2))))
    path = "/" + "/".join(words) + rng.choice(EXTENSIONS) if rng.random() < 0.9 else "/"
    return FlowRecord(method="GET", path=path + (f"?{query}" if query else ""))


def as_query(record: FlowRecord, value: str, rng: random.Random) -> FlowRecord:
    """In one parameter of the query: an existing one's value is replaced, or a new one added."""
    path, _, query = record.path.partition("?")
    pairs = [pair for pair in query.split("&") if pair]
    return _replace(record, path=path + "?" + "&".join(_with_pair(pairs, value, rng)))


def as_form(record: FlowRecord, value: str, rng: random.Random) -> FlowRecord:
    """In one field of a form body."""
    old = text(record.request_body)
    pairs = [pair for pair in old.split("&") if pair] if _is_form(record) else _pairs(rng)
    return _posted(record, "&".join(_with_pair(pairs, value, rng)), FORM)


def as_json(record: FlowRecord, value: str, rng: random.Random) -> FlowRecord:
    """In one string of a JSON body, at the top or one level down."""
    names = rng.sample(NAMES, rng.randint(1, 5))
    fields: dict[str, object] = {
        name: rng.choice((rng.randint(0, 9999), True, None, rng.choice(WORDS))) for name in names
    }
    fields[names[0]] = value
    items = list(fields.items())
    rng.shuffle(items)
    body = {rng.choice(WORDS): dict(items), "version": rng.randint(1, 9)} if rng.random() < 0.3 else dict(items)
    return _posted(record, json.dumps(body, ensure_ascii=rng.random() < 0.5), "application/json")


def as_path(record: FlowRecord, value: str, rng: random.Random) -> FlowRecord:
    """As part of the path."""
    head = record.path.partition("?")[0].rsplit("/", 1)[0]
    tail = value.lstrip("/") if value.startswith("/") and rng.random() < 0.5 else value
    escaped = quote(tail, safe="/:;=@.,-_~'()*!$") if rng.random() < 0.5 else tail.replace(" ", "%20")
    return _replace(record, path=f"{head}/{escaped}"[:8000])


def as_cookie(record: FlowRecord, value: str, rng: random.Random) -> FlowRecord:
    """In one cookie, among the request's own."""
    escaped = quote(value, safe="/:=@.,-_~'()*!$<>") if rng.random() < 0.5 else value.replace(";", "%3B")
    own = [value for name, value in record.request_headers if name.lower() == "cookie"]
    pieces = [*(own[0].split("; ") if own else ()), f"{rng.choice(NAMES)}={escaped}"]
    rng.shuffle(pieces)
    rest = tuple(pair for pair in record.request_headers if pair[0].lower() != "cookie")
    return _replace(record, request_headers=(*rest, ("Cookie", "; ".join(pieces))))


def as_header(record: FlowRecord, value: str, rng: random.Random) -> FlowRecord:
    """As the value of one header."""
    name = rng.choice(HEADERS)
    flat = " ".join(value.split())
    if name == "Referer" and rng.random() < 0.7:
        flat = f"https://www.example.com/{rng.choice(WORDS)}?{rng.choice(NAMES)}={quote_plus(flat)}"
    rest = tuple(pair for pair in record.request_headers if pair[0].lower() != name.lower())
    return _replace(record, request_headers=(*rest, (name, flat)))


def as_multipart(record: FlowRecord, value: str, rng: random.Random) -> FlowRecord:
    """As a field of a multipart form."""
    boundary = f"----WebKitFormBoundary{rng.getrandbits(64):016x}"
    fields = [(name, str(rng.randint(0, 999))) for name in rng.sample(NAMES, rng.randint(0, 2))]
    fields.insert(rng.randint(0, len(fields)), (rng.choice(NAMES), value))
    parts = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{content}\r\n'
        for name, content in fields
    )
    return _posted(record, f"{parts}--{boundary}--\r\n", f"multipart/form-data; boundary={boundary}")


_ANY: Final[tuple[tuple[Place, ...], tuple[int, ...]]] = (
    (as_query, as_form, as_json, as_path, as_cookie, as_header, as_multipart),
    (40, 20, 14, 8, 6, 8, 4),
)
_POSTED: Final[tuple[tuple[Place, ...], tuple[int, ...]]] = ((as_form, as_json, as_multipart), (40, 45, 15))


def _with_pair(pairs: list[str], value: str, rng: random.Random) -> list[str]:
    escaped = quote_plus(value) if rng.random() < 0.7 else _lightly(value)
    if pairs and rng.random() < 0.5:
        index = rng.randrange(len(pairs))
        name = pairs[index].partition("=")[0]
        return [*pairs[:index], f"{name}={escaped}", *pairs[index + 1 :]]
    pairs = [*pairs]
    pairs.insert(rng.randint(0, len(pairs)), f"{rng.choice(NAMES)}={escaped}")
    return pairs


def _lightly(value: str) -> str:
    """As careless clients escape: only what would break the pair."""
    return value.replace("%", "%25").replace("&", "%26").replace("#", "%23").replace("+", "%2B").replace(" ", "%20")


def _pairs(rng: random.Random) -> list[str]:
    return [f"{name}={rng.choice(WORDS)}" for name in rng.sample(NAMES, rng.randint(0, 3))]


def _is_form(record: FlowRecord) -> bool:
    return any(name.lower() == "content-type" and value.startswith(FORM) for name, value in record.request_headers)


def _posted(record: FlowRecord, body: str, kind: str) -> FlowRecord:
    rest: Headers = tuple(pair for pair in record.request_headers if pair[0].lower() != "content-type")
    return _replace(
        record,
        method="POST" if record.method in ("", "GET", "HEAD") else record.method,
        request_headers=(*rest, ("Content-Type", kind)),
        request_body=body.encode("utf-8", "replace")[: 16 * 1024],
    )


def _replace(record: FlowRecord, **changes: object) -> FlowRecord:
    return msgspec.structs.replace(record, **changes)

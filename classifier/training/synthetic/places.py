"""Requests that have nothing wrong with them, and where a value may travel in one.

Harmless values and payloads go through the same `carry`, with the same chances, so that neither the client,
nor the host, nor the place gives the label away. The common places are those of `classifier.training.carriers`;
here are the ones that need more than a bare value: whole paths, documents, uploads, GraphQL, WebSocket.
"""

import base64
import json
from collections.abc import Callable
from random import Random
from typing import Final, NamedTuple
from urllib.parse import quote

import msgspec

from classifier.lines import parse
from classifier.records import FlowRecord, Headers
from classifier.training import carriers
from classifier.training.synthetic.grammar import expand, read


class Value(NamedTuple):
    """What is carried. `place` is a key of `PLACES`, `name` the parameter or file name it prefers."""

    text: str
    place: str = "any"
    name: str = ""


Place = Callable[[Random, FlowRecord, Value], FlowRecord]

_HEADERS: Final = (
    ("User-Agent", "«agent»", 0.85),
    ("Accept", "«accept»", 0.8),
    ("Accept-Language", "«en-US,en;q=0.9|de-DE,de;q=0.8,en;q=0.5|fr|ja,en;q=0.7»", 0.5),
    ("Accept-Encoding", "gzip, deflate, br", 0.6),
    ("Referer", "«url»", 0.35),
    ("Origin", "https://«host»", 0.15),
    ("Cookie", "«jar»", 0.5),
    ("Authorization", "«authorization»", 0.15),
    ("X-Requested-With", "XMLHttpRequest", 0.1),
    ("X-CSRF-Token", "«token:32»", 0.08),
    ("X-Request-Id", "«uuid»", 0.08),
    ("X-Forwarded-For", "«ip»", 0.05),
    ("X-Api-Key", "«token:32»", 0.05),
    ("traceparent", "00-«hex:32»-«hex:16»-01", 0.05),
    ("sentry-trace", "«hex:32»-«hex:16»-0", 0.03),
    ("If-None-Match", 'W/"«hex:20»"', 0.05),
    ("X-Client-Data", "«b64:24»", 0.03),
)
"""Name, template of the value, share of clients that send it."""
_PAIRS: Final = ("«pair»", "«qpair»")
_FORMS: Final = {section.name: section.lines for section in read("forms.txt")}


def client(rng: Random) -> Headers:
    """Headers of some client: dropped, shuffled and in either case, as libraries and HTTP/2 leave them."""
    chosen = [(name, expand(rng, text)) for name, text, share in _HEADERS if rng.random() < share]
    if rng.random() < 0.5:
        rng.shuffle(chosen)
    if rng.random() < 0.4:
        chosen = [(name.lower(), value) for name, value in chosen]
    return tuple(chosen)


def base(rng: Random, value: Value | None = None) -> FlowRecord:
    """A harmless request; where `value` has a name, a parameter of that name is there to be filled."""
    pairs = [expand(rng, rng.choice(_PAIRS)) for _ in range(rng.choice((0, 0, 0, 1, 1, 2, 3, 6)))]
    if value and value.name:
        pairs.insert(rng.randint(0, len(pairs)), f"{value.name}=")
    path = expand(rng, rng.choice(("«path»", "«rest»"))) + ("?" + "&".join(pairs) if pairs else "")
    headers = () if rng.random() < 0.25 else client(rng)
    host, port = address(rng)
    named = f"{host}:{port}" if port not in (0, 80, 443) else host
    return FlowRecord(
        method=rng.choices(("GET", "POST", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"), (80, 12, 2, 2, 2, 1, 1))[0],
        scheme="http" if port not in (0, 443, 8443) else rng.choice(("https", "https", "http")),
        host=host,
        port=port,
        path=path,
        request_headers=(("Host", named), *headers) if headers and rng.random() < 0.7 else headers,
    )


def address(rng: Random) -> tuple[str, int]:
    """Host and port (0: not known): mostly public names, one in five a private address or an odd port."""
    if rng.random() < 0.2:
        host, _, port = expand(rng, "«place»").partition(":")
        return host, int(port or 80)
    return expand(rng, "«host»"), rng.choice((0, 443, 443, 80, 8443, 3000))


def carry(rng: Random, value: Value) -> FlowRecord:
    """A request with `value` in one of the places it may travel in."""
    return rng.choice(PLACES[value.place])(rng, base(rng, value), value)


def body(record: FlowRecord, content: bytes | str, kind: str, method: str = "POST") -> FlowRecord:
    """The request with another body and its type."""
    raw = content.encode("utf-8", "replace") if isinstance(content, str) else content
    rest = tuple(pair for pair in record.request_headers if pair[0].lower() != "content-type")
    return msgspec.structs.replace(
        record,
        method=record.method if record.method in ("PUT", "PATCH") else method,
        request_headers=(*rest, ("Content-Type", kind)),
        request_body=raw[: 16 * 1024],
    )


# ── places ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _common(place: carriers.Place) -> Place:
    return lambda rng, record, value: place(record, value.text, rng)


def _whole_path(rng: Random, record: FlowRecord, value: Value) -> FlowRecord:
    text = value.text if value.text.startswith("/") else f"/{value.text}"
    path = text if rng.random() < 0.5 else quote(text, safe="/%:;=?&@.,-_~'()*!$+")
    return msgspec.structs.replace(record, path=path.replace(" ", "%20"))


def _header(rng: Random, record: FlowRecord, value: Value) -> FlowRecord:
    name = value.name if value.name[:1].isupper() else rng.choice(carriers.HEADERS)
    rest = tuple(pair for pair in record.request_headers if pair[0].lower() != name.lower())
    return msgspec.structs.replace(record, request_headers=(*rest, (name, " ".join(value.text.split()))))


def _graphql(rng: Random, record: FlowRecord, value: Value) -> FlowRecord:
    noun = expand(rng, "«noun»")
    name = value.name or "input"
    query = f"query {noun.title()}(${name}: String!) {{ {noun}({name}: ${name}) {{ id name __typename }} }}"
    if rng.random() < 0.3:
        query = f"mutation {{ update{noun.title()}({name}: {json.dumps(value.text)}) {{ ok }} }}"
    sent = {"operationName": noun.title(), "query": query, "variables": {name: value.text}}
    path = rng.choice(("/graphql", "/api/graphql", "/gql", "/v1/graphql"))
    return body(msgspec.structs.replace(record, path=path), json.dumps(sent), "application/json")


def _xml(rng: Random, record: FlowRecord, value: Value) -> FlowRecord:
    escaped = value.text.replace("&", "&amp;").replace("<", "&lt;")
    leaf = f"<![CDATA[{value.text}]]>" if rng.random() < 0.3 else escaped
    name, noun = value.name or "value", expand(rng, "«noun»")
    inner = f"<{noun}><id>{rng.randint(1, 9999)}</id><{name}>{leaf}</{name}></{noun}>"
    if rng.random() < 0.5:
        soap = "http://schemas.xmlsoap.org/soap/envelope/"
        inner = f'<soap:Envelope xmlns:soap="{soap}"><soap:Body>{inner}</soap:Body></soap:Envelope>'
    return body(record, f'<?xml version="1.0" encoding="UTF-8"?>\n{inner}', rng.choice(("text/xml", "application/xml")))


def _document(rng: Random, record: FlowRecord, value: Value) -> FlowRecord:
    return body(record, value.text, rng.choice(("application/xml", "text/xml; charset=utf-8", "application/soap+xml")))


def _raw(rng: Random, record: FlowRecord, value: Value) -> FlowRecord:
    return body(record, value.text.encode("latin-1", "replace"), rng.choice(("application/octet-stream", "text/plain")))


def _upload(rng: Random, record: FlowRecord, value: Value, *, name: str = "") -> FlowRecord:
    name = name or value.name or "notes.txt"
    if rng.random() < 0.2 and "/" not in name:
        path = f"/{expand(rng, '«upload|files|dav|remote.php/dav/files/«noun»»')}/{quote(name)}"
        return body(msgspec.structs.replace(record, path=path), value.text, "application/octet-stream", "PUT")
    boundary = f"----{rng.choice(('WebKitFormBoundary', 'geckoformboundary', ''))}{rng.getrandbits(64):016x}"
    kind = rng.choice(("text/plain", "application/octet-stream", "image/jpeg", "text/csv"))
    field = rng.choice(("file", "upload", "image", "attachment", "files[]", "avatar"))
    sent = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n'
        f"Content-Type: {kind}\r\n\r\n{value.text}\r\n--{boundary}--\r\n"
    )
    return body(record, sent, f"multipart/form-data; boundary={boundary}")


def _file_name(rng: Random, record: FlowRecord, value: Value) -> FlowRecord:
    content = expand(rng, rng.choice(("«text»", "«json»", "id,name\n«int»,«name»\n«int»,«noun»\n")))
    return _upload(rng, record, Value(content), name=" ".join(value.text.split()).replace('"', "%22"))


def _message(rng: Random, record: FlowRecord, value: Value) -> FlowRecord:
    name = value.name or rng.choice(("text", "content", "data", "query"))
    sent = {"type": rng.choice(("message", "publish", "search", "edit")), "id": rng.randint(1, 9999), name: value.text}
    text = value.text if rng.random() < 0.2 else json.dumps(sent, ensure_ascii=rng.random() < 0.5)
    return FlowRecord(
        kind="websocket",
        scheme="wss",
        host=record.host,
        port=record.port,
        path=rng.choice(("/ws", "/socket", record.path)),
        direction="up",
        message=text.encode("utf-8", "replace"),
    )


def _base64(rng: Random, record: FlowRecord, value: Value) -> FlowRecord:
    encoded = base64.b64encode(value.text.encode("utf-8", "replace")).decode()
    return rng.choice((carriers.as_query, carriers.as_form, carriers.as_json, carriers.as_cookie))(record, encoded, rng)


def _form(place: str) -> Place:
    """One of the requests of that place in `forms.txt`, sent to the site of the record by its client."""

    def put(rng: Random, record: FlowRecord, value: Value) -> FlowRecord:
        own = {"value": lambda *_: value.text, "param": lambda *_: value.name or rng.choice(carriers.NAMES)}
        sent = parse(expand(rng, rng.choice(_FORMS[place]), own))
        if sent.kind != "http":
            return sent
        names = {name.lower() for name, _ in sent.request_headers}
        kept = [pair for pair in record.request_headers if pair[0].lower() not in names]
        return msgspec.structs.replace(
            record,
            method=sent.method,
            path=sent.path[:8000],
            request_headers=(*kept, *sent.request_headers),
            request_body=sent.request_body[: 16 * 1024],
        )

    return put


_QUERY, _FORM, _JSON, _PATH, _COOKIE, _HEADER, _FIELD = (
    _common(place)
    for place in (
        carriers.as_query,
        carriers.as_form,
        carriers.as_json,
        carriers.as_path,
        carriers.as_cookie,
        carriers.as_header,
        carriers.as_multipart,
    )
)
_SHORT: Final = (*(_QUERY,) * 8, *(_FORM,) * 4, *(_JSON,) * 4, _PATH, _COOKIE, _COOKIE, _HEADER, _FIELD)

PLACES: Final[dict[str, tuple[Place, ...]]] = {
    "any": (*_SHORT, _graphql, _xml, _message, _file_name, _base64, *(_form("any"),) * 24),
    "long": (_FORM, _FORM, _JSON, _JSON, _FIELD, _graphql, _xml, _message, *(_form("long"),) * 12),
    "address": (*(_QUERY,) * 5, _FORM, _JSON, _JSON, _graphql, _xml, _COOKIE, *(_form("address"),) * 12),
    "path": (_whole_path,),
    "header": (_header,),
    "xml": (_document, _document, _document, _JSON, _FORM, _upload, *(_form("xml"),) * 6),
    "file": (_upload,),
    "raw": (_raw, _raw, _base64, *(_form("raw"),) * 3),
    "name": (_file_name, _QUERY, _FORM, _JSON, _PATH, *(_form("name"),) * 5),
}
"""Where values of each sort travel. Repetition is weight."""

"""Whole flows from grammar files: a line of text becomes a `FlowRecord`, with its answer where it has one.

GET https://api.example.com/v1/items⏎Accept: */*⏎⏎body ⇒ 200 application/json⏎⏎{}
DNS TXT name.example ⇒ NOERROR answer answer
CONNECT host:443 · TLS server-name · WS wss://host/path⏎⏎message · TCP host:port⏎⏎first bytes
"""

from random import Random
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import msgspec

from classifier.records import FlowRecord, Headers, Label
from classifier.training.synthetic.grammar import Rule, expand, read
from classifier.training.synthetic.places import client

_ALPN: Final = (("h2", "http/1.1"), ("h2", "http/1.1"), ("http/1.1",), ())
_JA4: Final = (
    "t13d1516h2_8daaf6152771_e5627efa2ab1",
    "t13d1517h2_8daaf6152771_b0da82dd1658",
    "t13d1715h2_5b57614c22b0_3d5424432f57",
    "t13d2014h2_a09f3c656075_14788d8d241b",
    "t12d190800_d83cc789557e_16bbda4055b2",
    "t13d301100_1d37bd780c83_d339722ba4af",
    "",
)
"""Client fingerprints (JA4) of common programs; every label draws from the same ones."""


class Scene(NamedTuple):
    """A section of whole flows."""

    name: str
    weight: float
    lines: tuple[str, ...]


def _load(name: str) -> tuple[list[Scene], dict[str, Rule]]:
    sections = read(name)
    scenes = [Scene(part.name, float(part.fields[0]), part.lines) for part in sections if part.fields]
    return scenes, {part.name: part.lines for part in sections if not part.fields}


_BENIGN, _ = _load("benign.txt")
_HOSTILE, _RULES = _load("hostile.txt")
_REPLIES, _ = _load("replies.txt")
_BY_LABEL: Final = {
    label: [scene for scene in _HOSTILE if scene.name.partition(":")[0] == label]
    for label in Label
    if any(scene.name.startswith(f"{label}:") for scene in _HOSTILE)
}
LABELLED: Final = tuple(_BY_LABEL)
"""The labels that whole flows show."""


def benign(rng: Random) -> FlowRecord:
    """A harmless flow, with or without its answer."""
    return _vary(rng, parse(_draw(rng, _BENIGN)))


def hostile(rng: Random, label: Label) -> FlowRecord:
    """A flow of one of the labels in `LABELLED`, with or without its answer."""
    return _vary(rng, parse(_draw(rng, _BY_LABEL[label])))


def answered(rng: Random, record: FlowRecord) -> FlowRecord:
    """The request with an answer that any site may give."""
    given = _answer(record, _draw(rng, _REPLIES))
    extra = (("Server", rng.choice(("nginx", "Apache", "cloudflare", "envoy"))), ("Cache-Control", "no-cache"))
    headers = (*given.response_headers, *(pair for pair in extra if rng.random() < 0.5))
    return msgspec.structs.replace(given, response_headers=headers)


def parse(line: str) -> FlowRecord:
    """The flow that `line` spells out, without anything that it does not say. Raises ValueError."""
    asked, _, told = line.partition(" ⇒ ")
    verb, _, rest = asked.partition(" ")
    if verb == "DNS":
        return _dns(rest, told)
    if verb == "TLS":
        return FlowRecord(kind="tls", phase="connect", sni=rest.lower(), alpn=("h2", "http/1.1"))
    if verb in ("CONNECT", "TCP"):
        target, _, sent = rest.partition("\n\n")
        host, _, port = target.partition(":")
        if verb == "CONNECT":
            return FlowRecord(phase="connect", method=verb, host=host, port=int(port))
        return FlowRecord(kind="tcp", phase="end", host=host, port=int(port), message=_raw(sent), bytes_up=len(sent))
    record = _http(verb, rest)
    return _answer(record, told) if told else record


def _draw(rng: Random, scenes: list[Scene]) -> str:
    scene = rng.choices(scenes, [scene.weight for scene in scenes])[0]
    return expand(rng, rng.choice(scene.lines), _RULES)


def _vary(rng: Random, record: FlowRecord) -> FlowRecord:
    """The same flow as another client, another network or another moment shows it."""
    changes: dict[str, Any] = {}
    if record.phase == "response" and rng.random() < 0.5:
        changes = {"phase": "request", "status": 0, "response_headers": (), "response_body": b"", "bytes_down": 0}
        changes |= {"rcode": "", "answers": ()}
    if record.kind == "tls":
        changes |= {"alpn": rng.choice(_ALPN), "ja4": rng.choice(_JA4)}
    elif record.kind == "tcp":
        changes |= {"bytes_down": int(10 ** rng.uniform(1, 6)), "seconds": round(10 ** rng.uniform(-1, 3), 3)}
    elif record.phase == "connect" and rng.random() < 0.5:
        changes |= {"method": ""} | ({"port": 0} if rng.random() < 0.7 else {})
    elif record.kind == "http" and record.phase != "connect":
        own = {name.lower() for name, _ in record.request_headers}
        more = () if rng.random() < 0.35 else client(rng)
        changes["request_headers"] = (*record.request_headers, *(pair for pair in more if pair[0].lower() not in own))
        if not record.port and rng.random() < 0.5:
            changes["port"] = 80 if record.scheme == "http" else 443
    return msgspec.structs.replace(record, **changes)


def _dns(asked: str, told: str) -> FlowRecord:
    qtype, _, qname = asked.partition(" ")
    rcode, _, answers = told.partition(" ")
    values = (answers,) if qtype == "TXT" and answers else tuple(answers.split())
    return FlowRecord(
        kind="dns", phase="response" if told else "request", qname=qname, qtype=qtype, rcode=rcode, answers=values
    )


def _http(verb: str, rest: str) -> FlowRecord:
    url, headers, sent = _message(rest)
    parts = urlsplit(url)
    host, _, port = parts.netloc.partition(":")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    record = FlowRecord(method=verb, scheme=parts.scheme, host=host, port=int(port or 0), path=path)
    if verb == "WS":
        return msgspec.structs.replace(record, kind="websocket", method="", message=_raw(sent), direction="up")
    return msgspec.structs.replace(record, request_headers=headers, request_body=_raw(sent))


def _answer(record: FlowRecord, told: str) -> FlowRecord:
    first, headers, body = _message(told)
    status, _, kind = first.partition(" ")
    return msgspec.structs.replace(
        record,
        phase="response",
        status=int(status),
        response_headers=((("Content-Type", kind),) if kind else ()) + headers,
        response_body=_raw(body),
        bytes_down=len(body),
    )


def _message(content: str) -> tuple[str, Headers, str]:
    """First line, header pairs and body of a little HTTP message."""
    head, _, body = content.partition("\n\n")
    first, *lines = head.split("\n")
    return first, tuple((name, value) for name, _, value in (line.partition(": ") for line in lines)), body


def _raw(content: str) -> bytes:
    """Text as UTF-8; where it holds raw bytes (`«byte:9»`, `«chr:0»`), as Latin-1."""
    binary = "\x00" in content or any("\x80" <= letter <= "\x9f" for letter in content)
    return content.encode("latin-1" if binary else "utf-8", "replace")

"""Whole flows from grammar files, harmless and hostile, as different clients, networks and moments show them."""

from random import Random
from typing import Any, Final, NamedTuple

import msgspec

from classifier.lines import answer, parse
from classifier.records import ATTACKS, FlowRecord, Label
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


_BENIGN: Final = [scene for name in ("benign.txt", "modern.txt") for scene in _load(name)[0]]
_HOSTILE, _RULES = _load("hostile.txt")
_REPLIES, _ = _load("replies.txt")
_BY_LABEL: Final = {
    label: [scene for scene in _HOSTILE if scene.name.partition(":")[0] == label]
    for label in Label
    if any(scene.name.startswith(f"{label}:") for scene in _HOSTILE)
}
LABELLED: Final = tuple(label for label in _BY_LABEL if label not in ATTACKS)
"""The labels that whole flows alone show."""
STAGED: Final = tuple(label for label in _BY_LABEL if label in ATTACKS)
"""The labels of web attacks that whole flows show, too."""


def benign(rng: Random) -> FlowRecord:
    """A harmless flow, with or without its answer."""
    return _vary(rng, parse(_draw(rng, _BENIGN)))


def hostile(rng: Random, label: Label) -> FlowRecord:
    """A flow of one of the labels in `LABELLED` and `STAGED`, with or without its answer."""
    return _vary(rng, parse(_draw(rng, _BY_LABEL[label])))


def answered(rng: Random, record: FlowRecord) -> FlowRecord:
    """The request with an answer that any site may give."""
    given = answer(record, _draw(rng, _REPLIES))
    extra = (("Server", rng.choice(("nginx", "Apache", "cloudflare", "envoy"))), ("Cache-Control", "no-cache"))
    headers = (*given.response_headers, *(pair for pair in extra if rng.random() < 0.5))
    return msgspec.structs.replace(given, response_headers=headers)


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

"""Templates taken apart: text, slots, and the encodings that a slot's text may go through.

    «rule» · «rule:8-32» · «one|two» · «rule~json~url» (encoded) · «b=hex:16» (kept as b) · «=b» (the same again)

Pure text work; what a rule unfolds into is the business of `classifier.training.synthetic.grammar`.
"""

import base64
import json
from collections.abc import Callable
from functools import lru_cache
from random import Random
from typing import Final, NamedTuple
from urllib.parse import quote, quote_plus


class Choice(NamedTuple):
    """`«one|two»`: one of the texts, which may hold slots."""

    options: tuple[str, ...]


class Slot(NamedTuple):
    """`«keep=rule:low-high~filter»`; `rule` is empty where `keep` is only repeated."""

    rule: str
    low: int = 0
    high: int = 0
    filters: tuple[str, ...] = ()
    keep: str = ""


Part = str | Choice | Slot


@lru_cache(maxsize=32768)
def take_apart(template: str) -> tuple[Part, ...]:
    """The parts of `template` in order. Raises ValueError where «…» do not match."""
    parts: list[Part] = []
    start = depth = 0
    for index, letter in enumerate(template):
        if letter == "«":
            if depth == 0 and index > start:
                parts.append(template[start:index])
            start = index + 1 if depth == 0 else start
            depth += 1
        elif letter == "»":
            depth -= 1
            if depth == 0:
                parts.append(_slot(template[start:index]))
                start = index + 1
    if depth:
        raise ValueError(f"unmatched «…» in {template[:80]!r}")
    return (*parts, template[start:]) if start < len(template) else tuple(parts)


def encode(rng: Random, text: str, filters: tuple[str, ...]) -> str:
    """`text` through the named encodings, one after the other. Raises KeyError."""
    for name in filters:
        text = FILTERS[name](rng, text)
    return text


def _slot(content: str) -> Choice | Slot:
    options = _options(content)
    if len(options) > 1:
        return Choice(options)
    content, *filters = content.split("~")
    keep, equals, rule = content.rpartition("=")
    if equals and not keep:
        return Slot("", filters=tuple(filters), keep=rule)
    name, _, length = rule.partition(":")
    low, _, high = length.partition("-")
    return Slot(name, int(low or 0), int(high or low or 0), tuple(filters), keep)


def _options(content: str) -> tuple[str, ...]:
    """Split at the bars that no inner slot owns."""
    options, depth, start = [], 0, 0
    for index, letter in enumerate(content):
        depth += (letter == "«") - (letter == "»")
        if letter == "|" and not depth:
            options.append(content[start:index])
            start = index + 1
    return (*options, content[start:])


def _json(rng: Random, text: str) -> str:
    return json.dumps(text, ensure_ascii=rng.random() < 0.4)[1:-1]


def _dress(rng: Random, text: str) -> str:
    """JSON as different programs write it. Raises ValueError where it is none."""
    style = rng.random()
    if style < 0.6:
        return json.dumps(json.loads(text), ensure_ascii=style < 0.2, separators=(",", ":"))
    return json.dumps(json.loads(text), ensure_ascii=style < 0.75, indent=2 if style > 0.9 else None)


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "replace")


FILTERS: Final[dict[str, Callable[[Random, str], str]]] = {
    "json": _json,
    "dress": _dress,
    "url": lambda _, text: quote(text, safe="", errors="replace"),
    "form": lambda _, text: quote_plus(text, errors="replace"),
    "light": lambda _, text: (
        text.replace("%", "%25").replace("&", "%26").replace("#", "%23").replace("+", "%2B").replace(" ", "%20")
    ),
    "xml": lambda _, text: text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"),
    "quoted": lambda _, text: text.replace('"', "%22").replace("\n", " "),
    "csv": lambda _, text: '"' + text.replace('"', '""') + '"',
    "line": lambda _, text: " ".join(text.split()),
    "lower": lambda _, text: text.lower(),
    "b64": lambda _, text: base64.b64encode(_raw(text)).decode(),
    "b64url": lambda _, text: base64.urlsafe_b64encode(_raw(text)).decode().rstrip("="),
    "hex": lambda _, text: _raw(text).hex(),
}
"""Encodings by name."""

"""Attacks in the site's own clothes: payloads put into the site's own requests.

People report false positives, so benign-only labels are the normal case; a model tuned on those alone learns that
the site is harmless whatever is sent to it. Each payload goes into one of the site's requests, and a harmless
value goes into another one in the same way, so that neither the site nor the carrier gives the answer away.
"""

import json
import random
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

import msgspec

from classifier.records import ATTACKS, FlowRecord, Label
from classifier.training.carriers import as_query
from classifier.training.synthetic.places import PLACES, Value
from classifier.training.synthetic.values import harmless, payload

OWN_JSON: Final = 0.7
"""Chance that a request with a JSON body carries the value in that body."""
_NUMBER: Final = re.compile(r"[0-9a-f]*\d[0-9a-f]*")
INSIDE: Final = ("any", "long", "address", "name")
"""Places of values that may be a text in a JSON body."""


class Grafted(NamedTuple):
    """A site's request with a foreign value in it; `outline` is the value's (see there)."""

    record: FlowRecord
    label: Label
    donor: FlowRecord
    outline: str = ""


def transplant(donors: Sequence[FlowRecord], rng: random.Random, count: int) -> Iterator[Grafted]:
    """`count` hostile and as many harmless grafts, alternating. None where no donor is an HTTP request."""
    able = [donor for donor in donors if donor.kind == "http" and donor.method]
    for _ in range(count if able else 0):
        label = rng.choice(ATTACKS)
        yield _graft(rng.choice(able), payload(rng, label), label, rng)
        yield _graft(rng.choice(able), harmless(rng), Label.BENIGN, rng)


def _graft(donor: FlowRecord, value: Value, label: Label, rng: random.Random) -> Grafted:
    record = _in_json(donor, value.text, rng) if value.place in INSIDE and rng.random() < OWN_JSON else None
    if record is None:
        record = rng.choice(PLACES[value.place])(rng, donor, value)
    if record.kind != "http":  # a place that makes another kind of flow of it
        record = as_query(donor, value.text, rng)
    return Grafted(msgspec.structs.replace(record, label=label), label, donor, outline(value.text))


def outline(value: str) -> str:
    """A value with its encoding, case, numbers and spaces folded away: values of one outline are near-duplicates."""
    return " ".join(_NUMBER.sub("0", unquote(unquote(value)).lower()).split())


def _in_json(donor: FlowRecord, value: str, rng: random.Random) -> FlowRecord | None:
    """`value` in place of one text of the donor's JSON body; None when it has none."""
    if donor.request_body[:1] not in (b"{", b"["):
        return None
    try:
        body = json.loads(donor.request_body)
    except ValueError:
        return None
    places = list(_texts(body))
    if not places:
        return None
    holder, key = rng.choice(places)
    holder[key] = value
    return msgspec.structs.replace(donor, request_body=json.dumps(body, ensure_ascii=False).encode("utf-8", "replace"))


def _texts(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every text in a JSON value, as (container, key or index)."""
    items = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    )
    for key, item in items:
        if isinstance(item, str):
            yield value, key
        else:
            yield from _texts(item)

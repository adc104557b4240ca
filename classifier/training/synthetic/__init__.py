"""Synthetic traffic from own grammars, harmless and hostile: for training where corpora have gaps, for replay where
there are none, and for the sentinels that every release must catch.

Nothing here is copied from a corpus, and no name or address that it makes up is ever contacted.

    words, snippets, shapes ─▶ grammar ─▶ places (forms) ─▶ values (values, payloads)  a value in a request ┐
                                               └──▶ scenes (benign, modern, hostile)   a flow as a whole    ┴▶ streams

Both streams draw hosts, clients, places and answers from the same rules, so that only what is hostile differs.
"""

from collections.abc import Iterator
from random import Random
from typing import Final

import msgspec

from classifier.records import ATTACKS, FlowRecord, Label
from classifier.sentinels import sentinels
from classifier.training.synthetic import places, scenes, values

__all__ = ["attacks", "benign", "sentinels"]

_ATTACK_LABELS: Final = (*ATTACKS, *scenes.LABELLED)
_ANSWERED: Final = 0.25
"""Share of the requests that come with the answer to them."""
_BARE: Final = 0.15
"""Share of the requests that are known by their URL alone."""
_STAGED: Final = 0.2
"""Share of the web attacks that are whole flows, for labels that have some."""
_BY_URL: Final = (Label.BENIGN, Label.TRACKER, Label.PHISHING, Label.MALWARE, Label.DGA, Label.CRYPTOMINING)
"""Labels whose requests show by their URL what they are."""


def benign(seed: int) -> Iterator[FlowRecord]:
    """Endless harmless traffic, the hard kind: half values in requests, half whole flows. Labelled."""
    rng = Random(seed)
    while True:
        record = places.carry(rng, values.harmless(rng)) if rng.random() < 0.5 else scenes.benign(rng)
        yield _finish(rng, record, Label.BENIGN)


def attacks(seed: int) -> Iterator[FlowRecord]:
    """Endless attacks, every label that is not benign equally often. Labelled."""
    rng = Random(seed)
    while True:
        label = rng.choice(_ATTACK_LABELS)
        staged = label not in ATTACKS or (label in scenes.STAGED and rng.random() < _STAGED)
        record = scenes.hostile(rng, label) if staged else places.carry(rng, values.payload(rng, label))
        yield _finish(rng, record, label)


def _finish(rng: Random, record: FlowRecord, label: Label) -> FlowRecord:
    if record.kind == "http" and record.phase == "request":
        if rng.random() < _ANSWERED:
            record = scenes.answered(rng, record)
        elif record.method == "GET" and label in _BY_URL and rng.random() < _BARE:
            record = msgspec.structs.replace(record, method=rng.choice(("", "GET")), request_headers=())
    return msgspec.structs.replace(record, label=label)

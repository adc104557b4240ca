"""The two streams: seeded, labelled, complete, and drawn from the same world."""

import ipaddress
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice

import pytest

from classifier.features import extract
from classifier.records import LABELS, FlowRecord, Label, from_json, to_json
from classifier.training.synthetic import attacks, benign

Stream = Callable[[int], Iterator[FlowRecord]]


@pytest.mark.parametrize("stream", [benign, attacks])
def test_a_seed_names_a_stream(stream: Stream) -> None:
    assert list(islice(stream(1), 100)) == list(islice(stream(1), 100))
    assert list(islice(stream(1), 100)) != list(islice(stream(2), 100))


@pytest.mark.parametrize("stream", [benign, attacks])
def test_records_survive_the_interchange_and_give_features(stream: Stream) -> None:
    for record in islice(stream(3), 300):
        assert from_json(to_json(record)) == record
        assert len(extract(record).tokens) >= 1


def test_attacks_show_every_label_about_equally_often() -> None:
    counts = Counter(record.label for record in islice(attacks(4), 2600))
    assert set(counts) == set(LABELS) - {Label.BENIGN}
    assert min(counts.values()) > 100


def test_benign_is_benign() -> None:
    assert {record.label for record in islice(benign(5), 500)} == {Label.BENIGN}


def test_both_streams_show_every_kind_and_phase() -> None:
    shapes = [{(record.kind, record.phase) for record in islice(stream(6), 2000)} for stream in (benign, attacks)]
    assert shapes[0] == shapes[1]
    assert {("http", "connect"), ("http", "request"), ("http", "response"), ("dns", "response")} <= shapes[0]


@pytest.mark.parametrize("stream", [benign, attacks])
def test_addresses_are_for_documentation_or_private(stream: Stream) -> None:
    for record in islice(stream(7), 2000):
        try:
            address = ipaddress.ip_address(record.host)
        except ValueError:
            continue
        assert address.is_private, record.host  # the documentation ranges count as private

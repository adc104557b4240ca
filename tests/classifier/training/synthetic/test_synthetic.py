"""The two streams: seeded, labelled, complete, and drawn from the same world."""

import ipaddress
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice
from urllib.parse import unquote_plus

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


def _skeleton(record: FlowRecord) -> str:
    text = f"{record.method} {record.path} {record.request_body.decode('latin-1')} {record.message.decode('latin-1')}"
    return re.sub(r"[A-Za-z]+|[^\x00-\x7f]+", "a", re.sub(r"[0-9]+", "0", text))


@pytest.mark.parametrize("stream", [benign, attacks])
def test_requests_hardly_repeat_a_shape(stream: Stream) -> None:
    web = [record for record in islice(stream(8), 3000) if record.kind in ("http", "websocket") and record.path]
    assert len({_skeleton(record) for record in web[:2000]}) >= 1200


HARD = (
    "select ", "union ", "drop table", " or ", "<script", "onclick=", "eval(", "../", "/etc/", "rm -rf", "curl ",
    "localhost", "127.0.0.1", "{{", "${", "exec", "<!doctype", "c:\\", "o'", "\\frac", "traceback", "$filter",
    "redirect",
)  # fmt: skip


def test_harmless_traffic_is_full_of_hard_words() -> None:
    texts = [unquote_plus(f"{r.path} {r.request_body.decode('latin-1')}").lower() for r in islice(benign(9), 4000)]
    counts = {word: sum(word in text for text in texts) for word in HARD}
    assert min(counts.values()) >= 2, counts
    assert sum(counts.values()) > 900, counts


WANTED = (
    "graphql", "multipart/form-data", "grpc", "saml", "x-amz-signature", "bearer ey", "_search", "propfind", "ocsp",
    "git-upload-pack", "pip/", "npm/", "sentry", "m3u8", "_domainkey", "in-addr.arpa", "websocket", "filter",
)  # fmt: skip


def test_harmless_traffic_shows_each_kind_of_modern_client() -> None:
    text = "\n".join(str(to_json(record)) + str(record) for record in islice(benign(10), 5000)).lower()
    assert [word for word in WANTED if word not in text] == []


@pytest.mark.parametrize("stream", [benign, attacks])
def test_bodies_that_claim_json_are_json(stream: Stream) -> None:
    bad = total = 0
    for record in islice(stream(11), 4000):
        kind = {name.lower(): value for name, value in record.request_headers}.get("content-type", "")
        if kind.startswith("application/json") and record.request_body and len(record.request_body) < 16_000:
            total += 1
            bad += not _is_json(record.request_body)
    assert total > 200
    assert bad <= total * (0.02 if stream is benign else 0.05)


def _is_json(body: bytes) -> bool:
    try:
        json.loads(body)
    except ValueError:
        return False
    return True

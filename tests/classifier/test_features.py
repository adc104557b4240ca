"""Token windows, numbers and the schema's digest."""

import numpy as np
import pytest
from hypothesis import given

from classifier import features
from classifier.features import (
    BLOCK,
    NUMBERS,
    SEGMENTS,
    STEP,
    WINDOW,
    Features,
    extract,
    operating_key,
    stack,
    vectorize,
)
from classifier.masking import mask
from classifier.records import FlowRecord
from strategies import records


def segment(found: Features, name: str) -> bytes:
    """The text of one segment, as the model sees it."""
    row = found.tokens.reshape(-1)
    return bytes((row[row // 256 == SEGMENTS.index(name)] % 256).astype(np.uint8))


def number(found: Features, name: str) -> float:
    return float(found.numbers[NUMBERS.index(name)])


@given(records)
def test_any_record_gives_features(record: FlowRecord) -> None:
    found = extract(record)
    assert found.tokens.dtype == np.int32 and found.numbers.dtype == np.float32
    assert found.tokens.shape[1] % BLOCK == 0 and found.tokens.shape[1] <= WINDOW
    assert found.numbers.shape == (len(NUMBERS),) and np.isfinite(found.numbers).all()
    assert found.tokens.min() >= 0 and found.tokens.max() < len(SEGMENTS) * 256


@given(records)
def test_a_masked_record_gives_the_same_features_again(record: FlowRecord) -> None:
    masked = mask(record)
    once, again = vectorize(masked), extract(masked)
    assert np.array_equal(once.tokens, again.tokens) and np.array_equal(once.numbers, again.numbers)


@pytest.mark.parametrize(
    ("record", "name", "shown"),
    [
        (FlowRecord(host="WWW.Example.com"), "host", b"example.com"),
        (FlowRecord(path="/a%2Fb?x=%3Cb%3E+c"), "query", b"x=<b> c"),
        (FlowRecord(path="/a%252e%252e/b"), "path", b"/a../b"),
        (FlowRecord(path="/a?x=1?y"), "query", b"x=1?y"),
        (FlowRecord(request_body=b"a=%27+or+1"), "body", b"a=' or 1"),
        (FlowRecord(request_body=b'{"a": "50%"}'), "body", b'{"a": "50%"}'),
        (
            FlowRecord(request_headers=(("Accept", "*/*"), ("Referer", "http://r.example/"))),
            "headers",
            b"http://r.example/",
        ),
        (FlowRecord(request_headers=(("Accept", "${jndi:x}"),)), "headers", b"${jndi:x}"),
        (
            FlowRecord(status=200, response_headers=(("content-type", "text/html"), ("Server", "s"))),
            "status",
            b"200\ntext/html",
        ),
        (FlowRecord(kind="dns", qname="q.example", qtype="TXT", answers=("v",)), "answers", b"v"),
        (FlowRecord(kind="websocket", message=b"hello"), "body", b"hello"),
        (FlowRecord(status=200, response_body=b"a" * 600), "reply", b"a" * 512),
        (FlowRecord(status=200, response_body=b"\xff\xd8\x00" + b"a" * 600), "reply", b"\xff\xd8\x00" + b"a" * 61),
    ],
)
def test_the_text_is_decoded_and_laid_out_by_segment(record: FlowRecord, name: str, shown: bytes) -> None:
    assert segment(extract(record), name) == shown


def test_header_names_are_not_seen() -> None:
    first = extract(FlowRecord(request_headers=(("X-One", "value"),)))
    other = extract(FlowRecord(request_headers=(("X-Other", "value"),)))
    assert np.array_equal(first.tokens, other.tokens)


def test_long_text_becomes_overlapping_windows_that_lose_nothing() -> None:
    body = np.random.default_rng(0).integers(97, 123, 5000).astype(np.uint8).tobytes()
    found = vectorize(FlowRecord(request_body=body))
    assert found.tokens.shape == (1 + -(-(5000 - WINDOW) // STEP), WINDOW)
    head, tails = found.tokens[0], found.tokens[1:, WINDOW - STEP :]
    assert segment(Features(np.concatenate([head, *tails])[None], found.numbers), "body") == body


def test_an_attack_of_256_bytes_is_whole_in_some_window() -> None:
    for offset in range(0, 3000, 97):
        body = b"a" * offset + b"!" * 256 + b"a" * (4000 - offset)
        windows = vectorize(FlowRecord(request_body=body)).tokens
        assert max((row % 256 == ord("!")).sum() for row in windows) == 256


@pytest.mark.parametrize(
    ("record", "name", "value"),
    [
        (FlowRecord(host="192.0.2.1"), "host_is_ip", 1.0),
        (FlowRecord(host="[2001:db8::1]"), "host_is_ip", 1.0),
        (FlowRecord(host="1.example"), "host_is_ip", 0.0),
        (FlowRecord(port=8443), "port_unusual", 0.0),
        (FlowRecord(port=4444), "port_unusual", 1.0),
        (FlowRecord(path="/?a=%2541"), "decode_rounds", 2.0),
        (FlowRecord(status=404), "status_4xx", 1.0),
        (FlowRecord(status=101), "status_2xx", 1.0),
        (FlowRecord(status=200, response_body=b"MZ"), "reply_executable", 1.0),
        (FlowRecord(status=200, response_body=b"PK\x03\x04"), "reply_archive", 1.0),
        (
            FlowRecord(response_headers=(("Content-Type", "image/png"),), response_body=b"MZ"),
            "reply_type_contradicts",
            1.0,
        ),
        (
            FlowRecord(response_headers=(("Content-Type", "text/html"),), response_body=b"<html>"),
            "reply_type_contradicts",
            0.0,
        ),
    ],
)
def test_numbers_say_what_their_names_say(record: FlowRecord, name: str, value: float) -> None:
    assert number(extract(record), name) == value


def test_stacking_pads_and_names_the_owner_of_each_window() -> None:
    rows = [extract(FlowRecord(host="a")), extract(FlowRecord(request_body=b"ab" * 850)), extract(FlowRecord(host="b"))]
    tokens, numbers, owner = stack(rows)
    assert owner.tolist() == [0, 1, 1, 2] and tokens.shape == (4, WINDOW) and numbers.shape == (4, len(NUMBERS))
    assert np.array_equal(tokens[3, : rows[2].tokens.shape[1]], rows[2].tokens[0])


def test_stacking_nothing_gives_nothing() -> None:
    tokens, numbers, owner = stack([])
    assert len(tokens) == len(numbers) == len(owner) == 0


def test_thresholds_are_kept_by_kind_and_phase() -> None:
    assert operating_key(FlowRecord(kind="tls", phase="connect")) == "tls/connect"


def test_the_digest_covers_every_segment_and_number() -> None:
    found = [extract(record) for record in features._samples()]
    seen = {int(token) for row in found for token in np.unique(row.tokens // 256)}
    assert seen == set(range(len(SEGMENTS)))
    spread = np.ptp(np.stack([row.numbers for row in found]), axis=0)
    assert [name for name, width in zip(NUMBERS, spread, strict=True) if width == 0] == []


@pytest.mark.parametrize(
    ("name", "value"), [("_ROUTINE", frozenset()), ("_SYMBOLS", b"<"), ("MAX_DECODE", 1), ("_EXECUTABLE", (b"ELF",))]
)
def test_a_change_of_behaviour_changes_the_digest(monkeypatch: pytest.MonkeyPatch, name: str, value: object) -> None:
    features._routine.cache_clear()
    monkeypatch.setattr(features, name, value)
    changed = features._digest()
    features._routine.cache_clear()
    assert changed != features.SCHEMA

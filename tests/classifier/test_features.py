"""Token windows, numbers and the schema's digest."""

from types import ModuleType
from urllib.parse import quote

import numpy as np
import pytest
from hypothesis import given

from classifier import decoding, features, masking, numbers, packed, texts, tokens
from classifier.features import (
    BLOCK,
    NUMBERS,
    SEGMENTS,
    STEP,
    WINDOW,
    Features,
    extract,
    fits,
    operating_key,
    stack,
    vectorize,
)
from classifier.masking import mask
from classifier.recent import Recent
from classifier.records import FlowRecord
from strategies import records


def segment(found: Features, name: str) -> bytes:
    """The text of one segment, as the model sees it."""
    row = found.tokens.reshape(-1)
    return bytes((row[row // 256 == SEGMENTS.index(name)] % 256).astype(np.uint8))


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


def test_long_text_becomes_overlapping_windows_that_lose_nothing() -> None:
    body = np.random.default_rng(0).choice([*b"abcdefg/"], 5000).astype(np.uint8).tobytes()
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
    ("body", "windows", "whole"),
    [
        (b"a/" * 100, 1, True),
        (b"q=1/**/or/**/1=1", 2, True),
        (b"a/" * 600, 2, False),
        (b"a/" * 600 + b"/**/x", 4, False),
    ],
)
def test_a_record_fits_one_window_however_often_it_is_read(body: bytes, windows: int, whole: bool) -> None:
    found = vectorize(FlowRecord(request_body=body))
    assert (len(found.tokens), fits(found)) == (windows, whole)


def test_stacking_pads_and_names_the_owner_of_each_window() -> None:
    rows = [extract(FlowRecord(host="a")), extract(FlowRecord(request_body=b"a/" * 850)), extract(FlowRecord(host="b"))]
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


ATTACK = "' union select password from users where 1=1 -- "
COMPACT = b"' union select password from users where 1=1 -- "
PADDED = {
    "path": lambda pad: FlowRecord(path=f"/{pad}/{quote(ATTACK)}"),
    "query": lambda pad: FlowRecord(path=f"/a?note={pad}&id={quote(ATTACK)}"),
    "double-encoded query": lambda pad: FlowRecord(path=f"/a?note={pad}&id={quote(quote(ATTACK))}"),
    "form": lambda pad: FlowRecord(request_body=f"note={pad}&id={quote(ATTACK)}".encode()),
    "JSON": lambda pad: FlowRecord(request_body=f'{{"note": "{pad}", "id": "{ATTACK}"}}'.encode()),
    "header": lambda pad: FlowRecord(request_headers=(("Accept", "*/*"), ("X-Note", f"{pad} {ATTACK}"))),
    "message": lambda pad: FlowRecord(kind="websocket", message=f"{pad} {ATTACK}".encode()),
}


@pytest.mark.parametrize("kib", [1, 8, 15])
@pytest.mark.parametrize("place", PADDED)
def test_padding_hides_no_attack(place: str, kib: int) -> None:
    record = PADDED[place](("lorem ipsum dolor sit amet " * 700)[: kib * 1024].replace(" ", "+"))
    windows = extract(record).tokens
    assert any(COMPACT in bytes((row % 256).astype(np.uint8)) for row in windows)


def test_what_is_unwrapped_stands_in_the_first_window() -> None:
    record = FlowRecord(path=f"/{'a/' * 4000}?v=PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==&w=%2527")
    first = Features(extract(record).tokens[:1], np.zeros(len(NUMBERS), np.float32))
    assert segment(first, "decoded") == b"<script>alert(0)</script>"
    assert b"%2527" in segment(first, "raw")


def test_windows_share_no_memory() -> None:
    tokens = vectorize(FlowRecord(request_body=b"a" * 3000)).tokens
    tokens[0] = 7
    assert (tokens[1] != 7).all()


@pytest.mark.parametrize(
    ("module", "name", "value"),
    [
        (texts, "_ROUTINE", frozenset()),
        (texts, "REPLY", 1),
        (numbers, "_SYMBOLS", b"<"),
        (numbers, "_EXECUTABLE", (b"ELF",)),
        (numbers, "_INSIDE", ()),
        (decoding, "_NAMED", {}),
        (decoding, "_SHORTEST", 10_000),
        (packed, "_KEPT", 10_000),
    ],
)
def test_a_change_of_behaviour_changes_the_digest(
    monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str, value: object
) -> None:
    monkeypatch.setattr(module, name, value)
    forget()
    try:
        changed = features._digest()
    except KeyError:
        changed = "fails"
    monkeypatch.undo()
    forget()
    assert changed != features.SCHEMA == features._digest()


def forget() -> None:
    """Empty what is remembered between records."""
    for module in (decoding, masking, numbers, texts, tokens):
        for kept in vars(module).values():
            if isinstance(kept, Recent):
                kept.clear()
            elif hasattr(kept, "cache_clear"):
                kept.cache_clear()

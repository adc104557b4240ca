"""Rows laid end to end, and batches cut from them."""

from typing import Any

import numpy as np
import pytest

from classifier.features import BLOCK, WINDOW, extract
from classifier.records import LABELS, FlowRecord, Label
from classifier.training.arrays import Arrays, Shuffle, batch_of, build, mask_of
from classifier.training.corpus import WEB_ATTACK, Row

LONG = FlowRecord(host="l.example", request_body=bytes(range(97, 123)) * 80, method="POST")


def row(record: FlowRecord, label: Label = Label.BENIGN, **changes: Any) -> Row:
    return Row(record, (label,), 1.0, "test:", "train")._replace(**changes)


@pytest.fixture
def arrays() -> Arrays:
    return build([row(FlowRecord(host="h.example", path="/" + "a" * n), weight=n + 1.0) for n in range(100)], workers=0)


def test_a_batch_gives_the_rows_back(arrays: Arrays) -> None:
    batch = batch_of(arrays, np.array([3, 50]))
    first = extract(FlowRecord(host="h.example", path="/aaa")).tokens[0]
    assert batch.tokens.shape[1] % BLOCK == 0
    assert np.array_equal(batch.tokens[0, : len(first)], first) and batch.weight.tolist() == [4.0, 51.0]


def test_several_processes_give_the_same_arrays() -> None:
    rows = [row(FlowRecord(host=f"h{n}.example")) for n in range(10)]
    one, several = build(rows, workers=0), build(rows, workers=2)
    assert all(np.array_equal(getattr(one, name), getattr(several, name)) for name in Arrays._fields)


def test_attacks_keep_their_first_window_and_harmless_rows_any() -> None:
    kept = build([row(LONG, Label.SQLI)], workers=0)
    assert np.array_equal(kept.tokens, extract(LONG).tokens[0].astype(np.uint16))
    windows = extract(LONG).tokens
    harmless = build([row(LONG)], workers=0).tokens
    assert any(np.array_equal(harmless, window[window > 0]) for window in windows.astype(np.uint16))


def test_validation_rows_are_marked() -> None:
    assert build([row(FlowRecord()), row(FlowRecord(), part="val")], workers=0).validation.tolist() == [False, True]


def test_a_row_may_have_several_labels() -> None:
    assert [LABELS[i] for i in np.flatnonzero(mask_of(WEB_ATTACK))] == list(WEB_ATTACK)


def test_no_rows_make_empty_arrays() -> None:
    assert len(build([], workers=0)) == 0


def test_an_epoch_shows_every_row_once_in_batches_of_like_length(arrays: Arrays) -> None:
    shuffle = Shuffle(arrays, np.arange(100), 10, seed=0)
    weights = [weight for step in range(shuffle.per_epoch) for weight in shuffle(step).weight.tolist()]
    assert sorted(weights) == [n + 1.0 for n in range(100)]
    assert max(shuffle(step).tokens.shape[1] for step in range(10)) <= WINDOW


def test_any_step_can_be_asked_for_again(arrays: Arrays) -> None:
    shuffle, other = (Shuffle(arrays, np.arange(100), 10, seed=1) for _ in range(2))
    late = other(17)
    for step in range(17):
        shuffle(step)
    assert np.array_equal(shuffle(17).tokens, late.tokens)


def test_epochs_differ(arrays: Arrays) -> None:
    shuffle = Shuffle(arrays, np.arange(100), 10, seed=1)
    assert not np.array_equal(shuffle(0).weight, shuffle(10).weight)

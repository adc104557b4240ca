"""Rows of captures and their columns."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.records import LABELS, FlowRecord, Label, Phase, Verdict
from classifier.rows import PHASES, SCHEMA, CaptureRow, decode, encode

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(words, words, st.binary(max_size=50), st.integers(0, 65_535))
def test_any_text_and_bytes_survive(host: str, value: str, body: bytes, port: int) -> None:
    record = FlowRecord(host=host, request_headers=((value, host), (host, value)), request_body=body, port=port)
    assert [row.record for row in decode(encode([CaptureRow(record=record)]))] == [record]


def test_numbers_may_be_an_array() -> None:
    (row,) = decode(encode([CaptureRow(record=FlowRecord(), numbers=np.array([0.5, 2.0], np.float32))]))
    assert row.numbers == [0.5, 2.0]


def test_each_phase_keeps_its_verdict() -> None:
    scores = dict.fromkeys(LABELS, 0.0)
    verdicts = {phase: Verdict(Label.C2, n / 8, scores | {Label.C2: n / 8}, f"m{n}") for n, phase in enumerate(PHASES)}
    (row,) = decode(encode([CaptureRow(record=FlowRecord(), verdicts=verdicts)]))
    assert row.verdicts == verdicts


def test_rows_of_one_batch_keep_apart() -> None:
    """What one has and the next lacks: headers, verdicts, scores of some labels only."""
    some: dict[Phase, Verdict] = {"request": Verdict(Label.XSS, 0.5, {Label.XSS: 0.5, Label.BENIGN: 0.5}, "m")}
    rows = [
        CaptureRow(record=FlowRecord(id="1")),
        CaptureRow(record=FlowRecord(id="2", request_headers=(("a", "b"), ("c", ""))), verdicts=some),
        CaptureRow(record=FlowRecord(id="3", response_headers=(("d", "e"),), answers=("x", "y"))),
        CaptureRow(record=FlowRecord(id="4"), verdicts={"response": Verdict(Label.C2, 1.0, {}, "m")}),
        CaptureRow(record=FlowRecord(id="5"), verdicts=some),
    ]
    found = list(decode(encode(rows)))
    assert [(row.record, row.verdicts) for row in found] == [(row.record, row.verdicts) for row in rows]


def test_there_is_a_column_for_every_field() -> None:
    assert {*FlowRecord.__struct_fields__, "numbers", "request_threat", "end_scores"} <= set(SCHEMA.names)
    assert encode([]).num_rows == 0


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises((pa.ArrowException, OverflowError)):
        encode([CaptureRow(record=FlowRecord(port=2**40))])

"""The n-gram baseline learns, and reads the same masked text as the model."""

from itertools import islice

import pytest

from classifier.errors import UserError
from classifier.evaluate import auroc
from classifier.records import FlowRecord, Label
from classifier.training.corpus import Row
from classifier.training.evaluation.baseline import Baseline, read
from classifier.training.synthetic import attacks, benign


def _rows(seed: int, count: int) -> list[Row]:
    records = [*islice(benign(seed), count), *islice(attacks(seed), count)]
    return [Row(record, (record.label or Label.BENIGN,), 1.0, "synthetic:", "train") for record in records]


def test_it_learns_on_unseen_synthetic_traffic() -> None:
    baseline = Baseline(_rows(1, 1000), 2000)
    rows = _rows(2, 100)
    scores = baseline.score([row.record for row in rows])
    assert scores.shape == (200, 3)
    assert auroc([row.labels != (Label.BENIGN,) for row in rows], scores[:, 1]) > 0.8


def test_validation_rows_are_not_trained_on() -> None:
    rows = [row._replace(part="val") for row in _rows(1, 5)]
    with pytest.raises(UserError, match="harmless and hostile"):
        Baseline(rows, 10)


def test_text_has_the_request_and_no_secret() -> None:
    record = FlowRecord(
        method="POST",
        host="a.example",
        path="/login?next=1",
        request_headers=(("User-Agent", "curl/8"), ("Authorization", "Bearer hunter2hunter2hunter2")),
        request_body=b"user=anna&password=Tr0ub4dor",
    )
    text = read(record)
    assert text.startswith("POST a.example/login?next=1\ncurl/8\n")
    assert "hunter2" not in text
    assert "Tr0ub4dor" not in text


def test_the_answer_is_read_only_where_there_is_one() -> None:
    answer = FlowRecord(host="a.example", path="/", phase="response", status=404, response_body=b"gone")
    assert read(answer).endswith("404\ngone")
    assert read(FlowRecord(kind="dns", qname="a.example", qtype="TXT")) == "TXT a.example\n"

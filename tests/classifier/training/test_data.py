"""Augmented rows: what every row goes through, and that parts stay apart."""

from pathlib import Path

import pytest

import tinycorpus
from classifier.features import NUMBERS, extract
from classifier.records import ATTACKS, Label
from classifier.training import data
from classifier.training.data import holdout, training_rows


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tinycorpus.write(tmp_path)


def test_the_same_seed_gives_the_same_rows(folder: Path) -> None:
    assert list(training_rows(folder, 1)) == list(training_rows(folder, 1)) != list(training_rows(folder, 2))


def test_no_held_out_row_is_trained_on(folder: Path) -> None:
    held = {"requests:csic-2010-classifier", "payloads:xss-payload-list", "urls:phishtank"}
    assert not held & {row.source for row in training_rows(folder)}


def test_held_out_rows_are_records_with_their_label(folder: Path) -> None:
    found = dict(holdout(folder))
    assert {source: record.label for source, record in found.items()} == {
        "requests:csic-2010-classifier": Label.XSS,
        "payloads:xss-payload-list": Label.XSS,
        "urls:phishtank": Label.PHISHING,
    }
    assert found["payloads:xss-payload-list"].message == b""


def test_values_are_carried_and_scarce_labels_more_often(folder: Path) -> None:
    payloads = [row for row in training_rows(folder) if row.source == "payloads:list"]
    assert sorted(str(row.labels[0]) for row in payloads) == ["command_injection"] * 3 + ["xss"] * 2
    assert all(row.record.message == b"" and (row.record.path or row.record.request_body) for row in payloads)
    assert any(row.record.method for row in payloads)


def test_posted_prose_stays_a_posted_text(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "REWRITTEN", 0.0)  # rewriting leaves it where it is, but not letter by letter
    for seed in range(5):
        posted = [row for row in training_rows(folder, seed) if row.source == "payloads:prose"]
        assert len(posted) == 2 and all(b"best" in row.record.request_body for row in posted)


def test_without_a_corpus_the_synthetic_traffic_is_all_there_is() -> None:
    rows = list(training_rows(None, 0, limit=80))
    assert len(rows) == 80 and {row.source for row in rows} == {"synthetic:"}
    assert {row.part for row in rows} == {"train", "val"}


def test_inside_addresses_are_lent_to_attacks_as_to_harmless_rows() -> None:
    """Whether a host is inside must not tell an attack from a harmless request."""
    made = [row.record for row in training_rows(None, 0, limit=6000) if row.record.kind == "http"]
    inside = NUMBERS.index("host_inside")
    shares = []
    for wanted in (frozenset({Label.BENIGN}), ATTACKS):
        asked = [record for record in made if record.label in wanted and record.phase != "connect"]
        shares.append(sum(extract(record).numbers[inside] for record in asked) / len(asked))
    assert min(shares) > 0.05 and max(shares) < 2 * min(shares), shares


def test_every_weight_counts(folder: Path) -> None:
    assert all(0 < row.weight < 20 for row in training_rows(folder))

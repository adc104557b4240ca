"""Base rows that are kept between runs."""

from pathlib import Path

import pytest

import tinycorpus
from finetune import basis, replay


@pytest.mark.parametrize("real", [True, False])
def test_rows_are_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, real: bool) -> None:
    monkeypatch.setattr(replay, "PRACTISED", 20)
    monkeypatch.setattr(replay, "ASKED", 30)
    corpus = tinycorpus.write(tmp_path) if real else None
    first = basis.remembered(corpus, 0, tmp_path / "finetune")
    monkeypatch.setattr(replay, "base_rows", None)
    assert basis.remembered(corpus, 0, tmp_path / "finetune") == first
    practice, questions = first
    assert practice and questions
    assert not {row.record for row in practice} & {row.record for row in questions if real}


def test_another_seed_makes_others_and_removes_the_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "PRACTISED", 20)
    monkeypatch.setattr(replay, "ASKED", 30)
    assert basis.remembered(None, 0, tmp_path) != basis.remembered(None, 1, tmp_path)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_torn_file_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "PRACTISED", 20)
    monkeypatch.setattr(replay, "ASKED", 30)
    first = basis.remembered(None, 0, tmp_path)
    (kept,) = tmp_path.iterdir()
    kept.write_bytes(b"torn")
    assert basis.remembered(None, 0, tmp_path) == first

"""Base rows that are kept between runs."""

from pathlib import Path

import pytest

import tinycorpus
from finetune import basis, replay


def test_synthetic_rows_are_made_anew_and_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "PRACTISED", 20)
    monkeypatch.setattr(replay, "ASKED", 30)
    practice, questions = basis.remembered(None, 0, tmp_path / "finetune")
    assert (len(practice), len(questions)) == (20, 30)
    assert not (tmp_path / "finetune").exists()


def test_a_corpus_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = tinycorpus.write(tmp_path)
    first = basis.remembered(corpus, 0, tmp_path / "finetune")
    monkeypatch.setattr(basis, "base_rows", None)
    assert basis.remembered(corpus, 0, tmp_path / "finetune") == first
    practice, questions = first
    assert {row.part for row in practice} == {"train"} and {row.part for row in questions} == {"val"}
    assert len(list((tmp_path / "finetune").iterdir())) == 1

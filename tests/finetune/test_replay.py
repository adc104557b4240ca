import numpy as np
import pytest
import torch

from classifier.features import WINDOW, extract
from classifier.records import HARMLESS, LABELS, FlowRecord, Label
from finetune import replay
from finetune.replay import Lesson, Mixer, Pool, base_rows, batch, lesson, lessons


def known(host: str, label: Label = Label.BENIGN, weight: float = 1.0) -> Lesson:
    return lesson(extract(FlowRecord(host=host)), (label,), weight)


SITE = [known("site.example")]
WEAK = [known("weak-site.example", weight=0.3)]
BASE = [known(f"{number}.base-rows-are-longer-names.example", Label.C2) for number in range(9)]


def test_half_of_a_batch_is_the_base() -> None:
    drawn = Mixer([Pool(SITE, 0.75), Pool(WEAK, 0.25)], BASE, seed=0, size=32)(0)
    assert int(drawn.allowed[:, LABELS.index(Label.C2)].sum()) == 16
    assert int(torch.isclose(drawn.weight, torch.tensor(0.3)).sum()) == 4


@pytest.mark.parametrize(
    ("pools", "base", "site"),
    [
        ([Pool(SITE, 0.1), Pool([], 0.9)], BASE, 16),
        ([Pool(SITE, 1.0)], [], 32),
    ],
)
def test_an_empty_pool_leaves_its_share_to_the_others(pools: list[Pool], base: list[Lesson], site: int) -> None:
    drawn = Mixer(pools, base, seed=0, size=32)(0)
    assert len(drawn.weight) == 32
    assert int(drawn.allowed[:, 0].sum()) == site


def test_a_step_gives_the_same_batch_whenever_it_is_asked() -> None:
    one, other = (Mixer([Pool(SITE, 1.0)], BASE, seed=5) for _ in range(2))
    other(0)
    assert all(torch.equal(left, right) for left, right in zip(one(3), other(3), strict=True))
    assert not torch.equal(one(3).tokens, one(4).tokens)


def test_allowed_labels_become_a_mask() -> None:
    (drawn,) = lessons([(FlowRecord(host="h"), HARMLESS, 0.5)])
    made = batch([drawn], np.random.default_rng(0))
    assert [LABELS[i] for i in np.flatnonzero(made.allowed[0])] == list(HARMLESS)
    assert made.tokens.dtype == torch.int32


@pytest.mark.parametrize(("label", "windows"), [(Label.BENIGN, 3), (Label.SQLI, 1)])
def test_only_the_first_window_of_a_hostile_row_is_taught(label: Label, windows: int) -> None:
    long = FlowRecord(method="POST", path="/", request_body=b"a/" * WINDOW)
    assert len(lesson(extract(long), (label,), 1.0).features.tokens) == windows


def test_base_rows_without_a_corpus_are_synthetic_and_never_both_practised_and_judged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(replay, "PRACTISED", 300)
    monkeypatch.setattr(replay, "ASKED", 400)
    practice, questions = base_rows(None, 0)
    assert (len(practice), len(questions)) == (300, 400)
    shared = {row.record for row in practice} & {row.record for row in questions}
    assert len(shared) < 0.02 * len(questions)

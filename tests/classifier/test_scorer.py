"""Verdicts: the worst window speaks, order is kept, and each verdict is of the model it names."""

import math
import threading
import weakref
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifier.artifact import Model
from classifier.features import NUMBERS, Features
from classifier.records import HARMLESS, LABELS, Label, threat
from classifier.scorer import BadScore, Scorer, _chunks
from models import POISON, QUOTE, tiny_model


def features(*windows: int, length: int = 64, byte: int = QUOTE) -> Features:
    """One record whose windows hold so many quotes."""
    tokens = np.full((len(windows), length), ord("a"), np.int32)
    for row, count in enumerate(windows):
        tokens[row, :count] = byte
    return Features(tokens, np.zeros(len(NUMBERS), np.float32))


@pytest.fixture(scope="module")
def scorer(tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    path = tiny_model(tmp_path_factory.mktemp("model") / "m.onnx", weight=3.0, nan_on_poison=True, release="r1")
    return Scorer(Model.load(path, "cpu"))


def test_a_verdict_has_every_label_and_sums_to_one(scorer: Scorer) -> None:
    verdict = scorer.score(features(0))
    assert list(verdict.scores) == list(LABELS)
    assert all(type(score) is float for score in verdict.scores.values())
    assert math.isclose(sum(verdict.scores.values()), 1.0, abs_tol=1e-6)
    assert (verdict.label, verdict.model) == (Label.BENIGN, "r1")
    assert verdict.threat == pytest.approx(threat(verdict.scores))


def test_the_worst_window_speaks_wherever_it_is(scorer: Scorer) -> None:
    worst = scorer.score(features(4))
    for windows in [(4, 0, 0), (0, 4, 0), (0, 0, 4), (1, 4, 2)]:
        verdict = scorer.score(features(*windows))
        assert verdict.label is Label.SQLI
        assert verdict.threat == pytest.approx(worst.threat, abs=1e-6)
        assert scorer.embed(features(*windows))[0] == 4


def test_harmless_labels_are_no_threat(tmp_path: Path) -> None:
    for label in HARMLESS:
        model = Model.load(tiny_model(tmp_path / f"{label}.onnx", bias_label=label), "cpu")
        verdict = Scorer(model).score(features(0))
        assert verdict.label is label
        assert verdict.threat < 0.05


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(st.lists(st.integers(0, 8), min_size=1, max_size=5), st.sampled_from([32, 64, 512])), max_size=90
    )
)
def test_many_are_judged_as_one_by_one_and_in_order(scorer: Scorer, rows: list[tuple[list[int], int]]) -> None:
    records = [features(*windows, length=length) for windows, length in rows]
    together = scorer.score_many(records)
    assert len(together) == len(records)
    for record, found in zip(records, together, strict=True):
        alone = scorer.score(record)
        assert found.label == alone.label
        assert list(found.scores.values()) == pytest.approx(list(alone.scores.values()), abs=1e-5)


def test_padding_stays_bounded() -> None:
    lengths = [32, 1024, 64, 32, 512, 480, 1024, 96]
    rows = [features(0, length=length) for length in lengths] * 40
    chunks = list(_chunks(rows))
    assert sorted(index for chunk in chunks for index in chunk) == list(range(len(rows)))
    for chunk in chunks:
        found = [rows[index].tokens.shape[1] for index in chunk]
        assert max(found) <= 1.25 * min(found)
        assert len(chunk) <= 64


@pytest.mark.parametrize("windows", [(9,), (0, 9), (9, 0, 0)])
def test_a_score_that_is_no_number_is_an_error(scorer: Scorer, windows: tuple[int, ...]) -> None:
    bad = features(*windows, byte=POISON)
    for judge in (scorer.score, scorer.embed, lambda record: scorer.score_many([features(0), record])):
        with pytest.raises(BadScore):
            judge(bad)
    assert scorer.score(features(0)).label is Label.BENIGN


def test_swap_returns_the_model_before(tmp_path: Path) -> None:
    old = Model.load(tiny_model(tmp_path / "1.onnx", release="old"), "cpu")
    new = Model.load(tiny_model(tmp_path / "2.onnx", release="new", label=Label.XSS), "cpu")
    scorer = Scorer(old)
    assert scorer.swap(new) is old
    assert scorer.model is new
    verdict = scorer.score(features(1))
    assert (verdict.model, verdict.label) == ("new", Label.XSS)


def test_the_model_before_is_freed_at_once(tmp_path: Path) -> None:
    scorer = Scorer(Model.load(tiny_model(tmp_path / "m.onnx"), "cpu"))
    scorer.score(features(1))
    old = weakref.ref(scorer.model)
    scorer.swap(Model.load(tmp_path / "m.onnx", "cpu"))
    assert old() is None  # without the garbage collector's help, which the proxy freezes


def test_while_swapping_every_verdict_is_of_the_model_it_names(tmp_path: Path) -> None:
    models = {
        label: Model.load(tiny_model(tmp_path / label, release=label, label=label), "cpu")
        for label in (Label.SQLI, Label.XSS)
    }
    scorer = Scorer(models[Label.SQLI])
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            for model in models.values():
                scorer.swap(model)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        for _ in range(500):
            verdict = scorer.score(features(2))
            assert verdict.label == verdict.model
            assert {row.label == row.model for row in scorer.score_many([features(2)] * 3)} == {True}
    finally:
        stop.set()
        thread.join()

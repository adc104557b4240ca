"""Metrics against scikit-learn and scipy, by table, and what the thresholds promise."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from classifier.evaluate import (
    auroc,
    auroc_difference,
    auroc_interval,
    average_precision,
    bootstrap,
    ece,
    rate_bound,
    threshold_at_fpr,
    tpr_at_fpr,
)

stats = pytest.importorskip("scipy.stats")  # comes with scikit-learn; ships no types


def _tied(seed: int, size: int = 800) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = rng.random(size) < 0.3
    return y, np.round(rng.normal(y, 1.0), 1)


@pytest.mark.parametrize("seed", range(5))
def test_areas_agree_with_scikit_learn_on_tied_scores(seed: int) -> None:
    y, score = _tied(seed)
    assert auroc(y, score) == pytest.approx(roc_auc_score(y, score))
    assert average_precision(y, score) == pytest.approx(average_precision_score(y, score))


@pytest.mark.parametrize(
    ("y", "score", "area"),
    [
        ([0, 1], [0.1, 0.9], 1.0),
        ([1, 0], [0.1, 0.9], 0.0),
        ([0, 1], [0.5, 0.5], 0.5),
        ([0, 0, 1, 1], [0.1, 0.5, 0.5, 0.9], 0.875),
    ],
)
def test_area_by_table(y: list[int], score: list[float], area: float) -> None:
    assert auroc(y, score) == area


def test_one_class_has_no_area() -> None:
    assert math.isnan(auroc([1, 1], [0.1, 0.2]))
    assert math.isnan(average_precision([0, 0], [0.1, 0.2]))
    assert all(map(math.isnan, auroc_interval([1, 1], [0.1, 0.2])))


def test_labels_and_scores_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="2 labels for 3 scores"):
        auroc([0, 1], [0.1, 0.2, 0.3])


def test_the_interval_holds_the_value_and_repeats_with_its_seed() -> None:
    y, score = _tied(1)
    interval = auroc_interval(y, score, seed=7)
    assert interval.low < interval.value < interval.high
    assert interval == auroc_interval(y, score, seed=7)
    assert interval.value == auroc(y, score)


def test_copies_of_a_row_widen_the_interval_only_when_they_are_one_cluster() -> None:
    y, score = _tied(2, 200)
    copies = (np.repeat(y, 10), np.repeat(score, 10))
    apart = auroc_interval(*copies)
    together = auroc_interval(*copies, clusters=np.repeat(np.arange(200), 10))
    assert together.high - together.low > 2 * (apart.high - apart.low)


def test_a_paired_difference_is_surer_than_two_intervals() -> None:
    y, score = _tied(3)
    better = score + 0.1 * y
    found = auroc_difference(y, better, score)
    assert found.value == pytest.approx(auroc(y, better) - auroc(y, score))
    assert 0 < found.low < found.value < found.high
    apart = auroc_interval(y, score)
    assert found.high - found.low < (apart.high - apart.low) / 2
    assert auroc_difference(y, score, score, clusters=np.arange(len(y)) // 10) == (0.0, 0.0, 0.0)


def test_bootstrap_keeps_each_samples_size() -> None:
    sizes = set()

    def note(a: np.ndarray, b: np.ndarray) -> float:
        sizes.add((len(a), len(b)))
        return 0.0

    bootstrap(note, np.arange(5), np.arange(9), rounds=20)
    assert sizes == {(5, 9)}


@pytest.mark.parametrize(("count", "size"), [(0, 10), (5, 1000), (300, 40000), (9, 10)])
def test_bound_is_clopper_pearson(count: int, size: int) -> None:
    assert rate_bound(count, size) == pytest.approx(stats.beta.ppf(0.95, count + 1, size - count))


@pytest.mark.parametrize(("count", "size"), [(0, 0), (4, 4)])
def test_bound_of_all_or_nothing_is_one(count: int, size: int) -> None:
    assert rate_bound(count, size) == 1.0


@given(
    st.lists(st.floats(0, 1, width=32), min_size=1, max_size=400),
    st.sampled_from([0.5, 0.1, 0.01, 0.001]),
)
def test_threshold_keeps_its_bound_or_lies_above_all_scores(scores: list[float], fpr: float) -> None:
    point = threshold_at_fpr(scores, fpr)
    reached = sum(score >= point.threshold for score in scores)
    assert point.upper_bound == rate_bound(reached, len(scores))
    assert point.upper_bound <= fpr or reached == 0


@pytest.mark.parametrize(
    ("size", "fpr", "reached"),
    [(58, 0.05, 0), (59, 0.05, 0), (93, 0.05, 1), (299, 0.01, 0), (473, 0.01, 1), (2995, 0.001, 0), (4742, 0.001, 1)],
)
def test_threshold_is_the_lowest_that_the_sample_supports(size: int, fpr: float, reached: int) -> None:
    scores = np.arange(size) / size
    point = threshold_at_fpr(scores, fpr)
    assert (scores >= point.threshold).sum() == reached


def test_a_sample_too_small_says_what_it_is_worth() -> None:
    point = threshold_at_fpr([0.1, 0.2, 0.3], 0.001)
    assert 0.3 < point.threshold < 0.3001
    assert point.upper_bound == pytest.approx(1 - 0.05 ** (1 / 3))


def test_no_sample_gives_a_threshold_that_nothing_reaches() -> None:
    point = threshold_at_fpr([], 0.01)
    assert point.threshold > 1.0
    assert point.upper_bound == 1.0


@pytest.mark.parametrize(
    ("benign", "attack", "fpr", "share"),
    [
        ([0.1, 0.2, 0.3, 0.4], [0.35, 0.5], 0.25, 1.0),
        ([0.1, 0.2, 0.3, 0.4], [0.35, 0.5], 0.0, 0.5),
        ([0.5, 0.5, 0.5], [0.5, 0.5], 0.34, 0.0),
        ([0.1, 0.2], [0.0], 1.0, 0.0),
    ],
)
def test_tpr_at_fpr_by_table(benign: list[float], attack: list[float], fpr: float, share: float) -> None:
    assert tpr_at_fpr(benign, attack, fpr) == share


def test_tpr_of_nothing_is_not_a_number() -> None:
    assert math.isnan(tpr_at_fpr([0.1], [], 0.1))
    assert math.isnan(tpr_at_fpr([], [0.1], 0.1))


@pytest.mark.parametrize(
    ("probabilities", "labels", "error"),
    [
        ([[1.0, 0.0], [0.0, 1.0]], [0, 1], 0.0),
        ([[1.0, 0.0], [1.0, 0.0]], [0, 1], 0.5),
        ([[0.8, 0.2]] * 5, [0, 0, 0, 0, 1], 0.0),
    ],
)
def test_ece_by_table(probabilities: list[list[float]], labels: list[int], error: float) -> None:
    assert ece(probabilities, labels) == pytest.approx(error)

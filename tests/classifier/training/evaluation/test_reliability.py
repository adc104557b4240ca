"""Figures at a stated share of threats."""

import math

import numpy as np
import pytest

from classifier.evaluate import average_precision
from classifier.training.evaluation.reliability import (
    average_precision_at,
    bins,
    ece_at,
    precision_recall,
    weights,
)

Y = np.asarray([False] * 300 + [True] * 100)


def test_weights_make_the_stated_share() -> None:
    found = weights(Y, 0.01)
    assert found[Y].sum() == pytest.approx(0.01)
    assert found.sum() == pytest.approx(1.0)


def test_a_score_that_is_the_true_share_has_no_error() -> None:
    assert ece_at(Y, np.full(400, 0.01)) == pytest.approx(0.0, abs=1e-12)
    assert ece_at(Y, np.full(400, 0.25), prior=0.25) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(("said", "error"), [(0.0, 0.01), (0.5, 0.49), (1.0, 0.99)])
def test_the_error_is_the_distance_from_the_share(said: float, error: float) -> None:
    assert ece_at(Y, np.full(400, said)) == pytest.approx(error)


def test_bins_rise_and_hold_all_the_weight() -> None:
    found = bins(Y, np.linspace(0, 1, 400))
    assert sum(each.weight for each in found) == pytest.approx(1.0)
    assert [each.said for each in found] == sorted(each.said for each in found)
    assert found[0].so == 0.0
    assert found[-1].so == 1.0


def test_at_the_rows_own_share_the_area_is_the_average_precision() -> None:
    rng = np.random.default_rng(0)
    score = np.round(rng.random(400) * 0.6 + Y * 0.4, 2)  # with ties
    assert average_precision_at(Y, score, prior=0.25) == pytest.approx(average_precision(Y, score))
    assert average_precision_at(Y, score) < average_precision(Y, score)


def test_recall_rises_to_all() -> None:
    recall, precision = precision_recall(Y, np.linspace(0, 1, 400))
    assert (np.diff(recall) >= 0).all()
    assert recall[-1] == pytest.approx(1.0)
    assert precision[0] == 1.0
    assert precision[-1] == pytest.approx(0.01)


@pytest.mark.parametrize("y", [[True, True], [False, False], []])
def test_one_class_alone_says_nothing(y: list[bool]) -> None:
    score = np.zeros(len(y))
    assert bins(y, score) == []
    assert math.isnan(ece_at(y, score))
    assert math.isnan(average_precision_at(y, score))

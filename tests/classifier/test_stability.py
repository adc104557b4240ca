"""The index as a table, and what it must be: zero for the same, symmetric, additive over parts."""

import math

import numpy as np
import pytest

from classifier import stability
from classifier.stability import AXIS_BINS, ENOUGH, SCORE_BINS, axis_bins, psi, score_bin, slopes, terms, word


def counts(*rows: int) -> stability.Counts:
    return np.array(rows, np.int64)


@pytest.mark.parametrize(
    ("threat", "expected"),
    [
        (0.0, 0),
        (-1e-9, 0),
        (1e-12, 0),
        (0.5, SCORE_BINS // 2),
        (1 / (1 + math.exp(1)), SCORE_BINS // 2 - 2),
        (1 / (1 + math.exp(-1.1)), SCORE_BINS // 2 + 2),
        (1.0, SCORE_BINS - 1),
    ],
)
def test_a_threats_bin_is_half_a_unit_of_log_odds(threat: float, expected: int) -> None:
    assert score_bin(threat) == expected


def test_coordinates_beyond_the_ends_count_at_the_ends() -> None:
    found = axis_bins(np.array([-99.0, -4.0, -0.01, 0.0, 0.24, 0.26, 99.0, np.nan, np.inf, -np.inf]))
    assert found.tolist() == [0, 0, 15, 16, 16, 17, AXIS_BINS - 1, AXIS_BINS - 1, AXIS_BINS - 1, 0]


@pytest.mark.parametrize(
    ("reference", "present", "low", "high"),
    [
        (counts(100, 100, 100), counts(10, 10, 10), 0.0, 1e-9),
        (counts(0, 1000, 0), counts(0, 700, 300), 1.0, 3.0),  # what was empty fills
        (counts(0, 1000, 0), counts(300, 700, 0), 1.0, 3.0),
        (counts(0, 1000, 0), counts(1, 998, 1), 0.0, 0.01),  # two odd flows are no drift
        (counts(500, 500), counts(600, 400), 0.04, 0.041),  # 0.1 · ln 1.2 - 0.1 · ln 0.8
    ],
)
def test_the_index(reference: stability.Counts, present: stability.Counts, low: float, high: float) -> None:
    assert low <= psi(reference, present) <= high


def test_fine_bins_merge_to_tenths_of_the_reference() -> None:
    reference = np.full(100, 10, np.int64)
    assert len(set(terms(reference, reference)[0].tolist())) == 10


def test_samples_of_one_distribution_are_stable_and_a_shift_of_one_deviation_is_not() -> None:
    rng = np.random.default_rng(0)
    reference, same, moved = (
        np.bincount(axis_bins(rng.normal(shift, 1.0, ENOUGH)), minlength=AXIS_BINS) for shift in (0, 0, 1)
    )
    assert word(psi(reference, same)) == "stable"
    assert word(psi(reference, moved)) == "moved"


def test_parts_of_the_rows_add_up_to_the_index() -> None:
    rng = np.random.default_rng(1)
    halves = [(rng.integers(1, 50, 20), rng.integers(1, 50, 20)) for _ in range(2)]
    reference, present = (halves[0][side] + halves[1][side] for side in (0, 1))
    slope = slopes(reference, present)
    total = sum(float(((after / present.sum() - before / reference.sum()) * slope).sum()) for before, after in halves)
    assert total == pytest.approx(psi(reference, present), rel=0.02)


@pytest.mark.parametrize(("index", "expected"), [(0.0, "stable"), (0.1, "watch"), (0.249, "watch"), (0.25, "moved")])
def test_the_conventions_words(index: float, expected: str) -> None:
    assert word(index) == expected

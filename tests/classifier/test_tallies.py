"""Counts of many processes add up; the first reference and the first basis stay; what is old goes."""

from pathlib import Path

import numpy as np
import pytest

from classifier.basis import make
from classifier.journal import Journal
from classifier.stability import AXIS_BINS, SCORE_BINS
from classifier.tallies import FIRST, HOUR, RELEASE, SCORE, Reference, Tallies


@pytest.fixture
def tallies(tmp_path: Path) -> Tallies:
    return Tallies(Journal(tmp_path / "sluice.db"))


def fallen(place: int, rows: int, width: int = SCORE_BINS) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    found = np.zeros(width, np.int64)
    found[place] = rows
    return found


def test_counts_of_several_workers_and_flushes_add_up(tallies: Tallies, tmp_path: Path) -> None:
    other = Tallies(Journal(tmp_path / "sluice.db"))
    for worker, hour in ((tallies, 100), (other, 100), (other, 101)):
        worker.add("r", {("request", SCORE): fallen(3, 2), ("request", 0): fallen(5, 1, AXIS_BINS)}, hour)
    assert tallies.hours("r", "request", SCORE) == [(100, 4), (101, 2)]
    assert tallies.counts("r", "request", SCORE, 100, 101)[3] == 6
    assert tallies.counts("r", "request", 0, 101, 101).tolist() == fallen(5, 1, AXIS_BINS).tolist()
    assert tallies.hours("other", "request", SCORE) == []


def test_nothing_counted_writes_nothing(tallies: Tallies) -> None:
    tallies.add("r", {("request", SCORE): np.zeros(SCORE_BINS, np.int64)}, 1)
    assert tallies.hours("r", "request", SCORE) == []


def test_the_first_reference_and_the_first_basis_stay(tallies: Tallies) -> None:
    first, second = (make(np.random.default_rng(seed).normal(size=(9, 4)).astype(np.float32)) for seed in (0, 1))
    assert tallies.found("r", "request", first) == tallies.found("r", "request", second) == first
    for origin, rows in ((RELEASE, 7), (FIRST, 8)):
        tallies.settle("r", "request", SCORE, Reference(fallen(1, rows), origin, 5))
    kept = tallies.reference("r", "request", SCORE)
    assert kept is not None and (kept.counts[1], kept.origin, kept.last) == (7, RELEASE, 5)
    assert tallies.reference("r", "connect", SCORE) is None


def test_old_hours_go_and_with_the_last_of_them_what_a_gone_release_was_compared_with(tallies: Tallies) -> None:
    tallies.settle("gone", "request", SCORE, Reference(fallen(1, 1), FIRST, 5))
    tallies.settle("served", "request", SCORE, Reference(fallen(1, 1), FIRST, 5))
    for release, hour in (("gone", 10), ("served", 10), ("served", 500_000)):
        tallies.add(release, {("request", SCORE): fallen(1, 1)}, hour)
    tallies.journal.write("update drift_reference set made = 0")
    tallies.prune(20.0 * HOUR)
    assert tallies.hours("served", "request", SCORE) == [(500_000, 1)]
    assert tallies.reference("gone", "request", SCORE) is None
    assert tallies.reference("served", "request", SCORE) is not None


def test_only_counts_are_stored(tallies: Tallies) -> None:
    columns = {
        row[1] for table in ("drift", "drift_reference") for row in tallies.journal.rows(f"pragma table_info({table})")
    }
    assert columns == {"release", "phase", "axis", "hour", "bin", "rows", "made", "origin", "last", "counts"}

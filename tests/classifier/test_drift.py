"""Reference and present, by table: when there is enough, what is compared with what, and what is said of it."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from classifier.basis import make
from classifier.drift import OF, PHASES, Figure, history, settle, summary
from classifier.journal import Journal
from classifier.stability import AXIS_BINS, SCORE_BINS, Counts
from classifier.tallies import FIRST, HOUR, RELEASE, SCORE, Reference, Tallies

START = 24 * 20_000
"""Midnight of some day, in hours."""
WANTED = 100


@pytest.fixture
def tallies(tmp_path: Path) -> Tallies:
    return Tallies(Journal(tmp_path / "sluice.db"))


def fallen(place: int, rows: int = 10) -> Counts:
    found = np.zeros(SCORE_BINS, np.int64)
    found[place] = rows
    return found


def traffic(tallies: Tallies, place: int, first: int, last: int, rows: int = 10) -> None:
    """Every hour from `first` up to `last` some rows in one place."""
    for hour in range(first, last):
        tallies.add("r", {("request", SCORE): fallen(place, rows)}, START + hour)


def look(tallies: Tallies, hour: int, since: int | None = None) -> Figure:
    """The score of requests after `hour` hours."""
    now, begun = float((START + hour) * HOUR), None if since is None else float((START + since) * HOUR)
    settle(tallies.journal, "r", now=now, wanted=WANTED)
    found = summary(tallies.journal, "r", now=now, since=begun, wanted=WANTED)
    return next(figure for figure in found if figure.phase == "request" and figure.of == "score")


def test_without_traffic_everything_is_unknown_and_says_what_it_waits_for(tallies: Tallies) -> None:
    figures = summary(tallies.journal, "r")
    assert {(figure.phase, figure.of) for figure in figures} == set(itertools.product(PHASES, OF))
    assert {figure.psi for figure in figures} == {None}
    assert figures[0].said == "not enough traffic for a reference yet: 0 of 1,000 flows, 0 of 24 hours"


@pytest.mark.parametrize(
    ("rows", "hours", "origin"),
    [
        (10, 23, ""),  # enough rows, not a day
        (1, 30, ""),  # a day, not enough rows
        (10, 25, FIRST),
        (5, 25, FIRST),
    ],
)
def test_a_reference_takes_a_day_and_enough_rows(tallies: Tallies, rows: int, hours: int, origin: str) -> None:
    traffic(tallies, 20, 0, hours, rows)
    found = look(tallies, hours)
    assert (found.origin, found.psi) == (origin, None)


def test_a_small_sites_reference_grows_until_there_is_enough(tallies: Tallies) -> None:
    traffic(tallies, 20, 0, 120, 1)
    look(tallies, 120)
    kept = tallies.reference("r", "request", SCORE)
    assert kept is not None and (int(kept.counts.sum()), kept.last) == (100, START + 99)


@pytest.mark.parametrize(("place", "verdict"), [(20, "stable"), (30, "moved")])
def test_the_day_after_the_reference_is_compared_with_it(tallies: Tallies, place: int, verdict: str) -> None:
    traffic(tallies, 20, 0, 24)
    traffic(tallies, place, 24, 48)
    found = look(tallies, 48)
    assert (found.verdict, found.said, found.rows, found.reference_rows) == (verdict, verdict, 240, 240)
    assert found.since == (START + 24) * HOUR


def test_the_present_is_the_last_day_and_not_what_was_before(tallies: Tallies) -> None:
    traffic(tallies, 20, 0, 24)
    traffic(tallies, 30, 24, 72)
    traffic(tallies, 20, 72, 97)
    found = look(tallies, 96)
    assert found.verdict == "stable"
    assert found.since == (START + 72) * HOUR


def test_the_present_of_a_small_site_is_longer(tallies: Tallies) -> None:
    traffic(tallies, 20, 0, 24)
    traffic(tallies, 20, 24, 200, 2)
    assert look(tallies, 200).rows == 100


def test_half_a_day_after_the_reference_nothing_is_said(tallies: Tallies) -> None:
    traffic(tallies, 20, 0, 24)
    traffic(tallies, 30, 24, 36, 50)
    found = look(tallies, 36)
    assert (found.psi, found.said) == (None, "not enough traffic yet: 600 of 100 flows, 12 of 24 hours")


def test_who_names_the_time_need_not_wait_for_a_day(tallies: Tallies) -> None:
    traffic(tallies, 20, 0, 24)
    traffic(tallies, 30, 24, 36, 50)
    assert look(tallies, 36, since=34).verdict == "moved"
    assert look(tallies, 36, since=35).psi is None


def test_what_came_with_the_release_is_the_reference_at_once(tallies: Tallies) -> None:
    tallies.settle("r", "request", SCORE, Reference(fallen(20, 500), RELEASE, 0))
    traffic(tallies, 30, 0, 24)
    found = look(tallies, 24)
    assert (found.origin, found.verdict, found.reference_rows) == (RELEASE, "moved", 500)


def test_of_an_embedding_the_axis_that_moved_most_speaks(tallies: Tallies) -> None:
    basis = tallies.found("r", "request", make(np.random.default_rng(0).normal(size=(99, 3)).astype(np.float32)))
    for hour in range(48):
        places = [20, 20 if hour < 24 else 25, 20, 20]
        counts = {("request", axis): fallen(places[axis])[:AXIS_BINS] for axis in range(basis.coordinates)}
        tallies.add("r", counts, START + hour)
    now = float((START + 48) * HOUR)
    settle(tallies.journal, "r", now=now, wanted=WANTED)
    figures = summary(tallies.journal, "r", now=now, wanted=WANTED)
    found = next(figure for figure in figures if (figure.phase, figure.of) == ("request", "embedding"))
    assert (found.verdict, found.axis) == ("moved", 1)


def test_the_history_has_a_day_for_each_day_with_enough(tallies: Tallies) -> None:
    traffic(tallies, 20, 0, 24)
    traffic(tallies, 30, 24, 48)
    traffic(tallies, 20, 48, 50)
    look(tallies, 50)
    days = history(tallies.journal, "r", wanted=WANTED)
    assert [(day.time, day.rows, day.psi > 0.25) for day in days] == [
        (START * HOUR, 240, False),
        ((START + 24) * HOUR, 240, True),
    ]
    assert {(day.phase, day.of) for day in days} == {("request", "score")}


def test_counts_of_another_versions_bins_are_not_compared(tallies: Tallies) -> None:
    tallies.settle("r", "request", SCORE, Reference(np.ones(7, np.int64), RELEASE, 0))
    traffic(tallies, 30, 0, 24)
    assert look(tallies, 24).psi == 0.0

"""Has the traffic moved away from what a release is used to? Figures from the counts that the proxy keeps.

Reference and present are held to the same rule: at least a day, because a night is no drift, and at least `ENOUGH`
rows. The reference came with the release (what was fine-tuned here brings the site's traffic of that time), or is the
first traffic that the release judged here: what the shipped release was trained on is nobody's site.

Of an embedding the axis that moved most speaks.
"""

import time
from collections.abc import Iterator, Sequence
from typing import Final, Literal

import msgspec
import numpy as np

from classifier.journal import Journal
from classifier.stability import ENOUGH, Counts, Word, psi, word
from classifier.tallies import FIRST, HOUR, SCORE, Reference, Tallies

Of = Literal["score", "embedding"]
Phase = Literal["connect", "request", "response"]
PHASES: Final[tuple[Phase, ...]] = ("connect", "request", "response")
OF: Final[tuple[Of, ...]] = ("score", "embedding")
DAY: Final = 24
"""Hours that reference and present span at least."""


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One phase's score or embedding. `psi` and `verdict` are None until there is enough on both sides.

    `rows` since `since` (Unix seconds) are compared with `reference_rows`; `wanted` is how many either side needs, and
    `hours` of `DAY` how long the side that is waited for has been looked at. `origin` is `release` or `first`, "" while
    the reference is still being collected: then `rows` counts towards it. `axis` moved most.
    """

    phase: Phase
    of: Of
    psi: float | None = None
    verdict: Word | None = None
    rows: int = 0
    wanted: int = ENOUGH
    hours: int = 0
    since: float = 0.0
    reference_rows: int = 0
    origin: str = ""
    axis: int = SCORE

    @property
    def said(self) -> str:
        """The verdict in words."""
        if self.verdict is not None:
            return self.verdict
        what = "traffic" if self.origin else "traffic for a reference"
        return f"not enough {what} yet: {self.rows:,} of {self.wanted:,} flows, {self.hours} of {DAY} hours"


class Day(msgspec.Struct, frozen=True):
    """The index of one UTC day; `time` is its begin in Unix seconds."""

    phase: Phase
    of: Of
    time: float
    psi: float
    rows: int


def summary(
    journal: Journal, release: str, *, now: float | None = None, since: float | None = None, wanted: int = ENOUGH
) -> list[Figure]:
    """How each phase's scores and embeddings under `release` stand at `now` (Unix seconds), by PHASES and OF.

    The present is the last day, or as many hours more as it takes to have `wanted` rows; with `since` (Unix seconds)
    what came after. Raises sqlite3.Error.
    """
    tallies, moment = Tallies(journal), int((time.time() if now is None else now) // HOUR)
    first = None if since is None else int(since // HOUR)
    return [_figure(tallies, release, phase, of, moment, first, wanted) for phase in PHASES for of in OF]


def history(journal: Journal, release: str, *, wanted: int = ENOUGH) -> list[Day]:
    """The index of each UTC day with `wanted` rows, oldest first, reference days among them. Raises sqlite3.Error."""
    tallies = Tallies(journal)
    return [
        Day(phase, of, 24.0 * HOUR * day, _index(tallies, release, phase, axes, 24 * day, 24 * day + 23)[0], rows)
        for phase in PHASES
        for of in OF
        if (axes := list(_axes(tallies, release, phase, of)))
        for day, rows in _days(tallies.hours(release, phase, axes[0]))
        if rows >= wanted
    ]


def settle(journal: Journal, release: str, *, now: float | None = None, wanted: int = ENOUGH) -> None:
    """Make the first traffic of `release` its reference where it has none and there is enough. Raises sqlite3.Error."""
    tallies, moment = Tallies(journal), int((time.time() if now is None else now) // HOUR)
    for phase in PHASES:
        basis = tallies.basis(release, phase)
        for axis in (SCORE, *range(basis.coordinates if basis else 0)):
            if tallies.reference(release, phase, axis) is None:
                hours = [(hour, rows) for hour, rows in tallies.hours(release, phase, axis) if hour < moment]
                if (last := _enough(hours, wanted)) is not None:
                    counts = tallies.counts(release, phase, axis, 0, last)
                    tallies.settle(release, phase, axis, Reference(counts, FIRST, last))


def _figure(tallies: Tallies, release: str, phase: Phase, of: Of, now: int, since: int | None, wanted: int) -> Figure:
    axes = list(_axes(tallies, release, phase, of))
    lead = axes[0] if axes else _lead(of)
    reference = tallies.reference(release, phase, lead)
    hours = tallies.hours(release, phase, lead)
    if reference is None:
        rows = sum(count for _, count in hours)
        return Figure(phase=phase, of=of, rows=rows, wanted=wanted, hours=_span(hours, now))
    later = [(hour, count) for hour, count in hours if hour > reference.last and (since is None or hour >= since)]
    span = _span(later, now)
    begun, rows = _present(later, now, wanted if since is None else None)
    known = Figure(
        phase=phase,
        of=of,
        rows=rows,
        wanted=wanted,
        hours=min(span, DAY),
        since=float(begun * HOUR),
        reference_rows=int(reference.counts.sum()),
        origin=reference.origin,
    )
    if rows < wanted or (since is None and span < DAY):
        return known
    index, axis = _index(tallies, release, phase, axes, begun, now)
    return msgspec.structs.replace(known, psi=index, verdict=word(index), axis=axis)


def _present(hours: Sequence[tuple[int, int]], now: int, wanted: int | None) -> tuple[int, int]:
    """The hour that the present begins with, and its rows; all of `hours` where no number is `wanted`."""
    begun, rows = now, 0
    for hour, count in reversed(hours):
        if wanted is not None and rows >= wanted and hour < now - DAY:
            break
        begun, rows = hour, rows + count
    return begun, rows


def _index(
    tallies: Tallies, release: str, phase: Phase, axes: Sequence[int], first: int, last: int
) -> tuple[float, int]:
    """The largest index among `axes`, and whose it is."""
    found = []
    for axis in axes:
        reference = tallies.reference(release, phase, axis)
        counts = tallies.counts(release, phase, axis, first, last)
        if reference is not None and _same(reference.counts, counts):
            found.append((psi(reference.counts, counts), axis))
    return max(found, default=(0.0, axes[0]))


def _same(reference: Counts, counts: Counts) -> bool:
    """Whether both are histograms over the same bins; another version may have counted otherwise."""
    return len(reference) == len(counts) and bool(np.any(reference)) and bool(np.any(counts))


def _axes(tallies: Tallies, release: str, phase: Phase, of: Of) -> Iterator[int]:
    """The axes that have a reference."""
    basis = None if of == "score" else tallies.basis(release, phase)
    for axis in (SCORE,) if of == "score" else range(basis.coordinates if basis else 0):
        if tallies.reference(release, phase, axis) is not None:
            yield axis


def _lead(of: Of) -> int:
    """The axis whose rows are counted."""
    return SCORE if of == "score" else 0


def _span(hours: Sequence[tuple[int, int]], now: int) -> int:
    return min(now - hours[0][0], DAY) if hours else 0


def _enough(hours: Sequence[tuple[int, int]], wanted: int) -> int | None:
    """The first hour with which there are a day and `wanted` rows."""
    rows = 0
    for hour, count in hours:
        rows += count
        if rows >= wanted and hour - hours[0][0] >= DAY - 1:
            return hour
    return None


def _days(hours: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    days: dict[int, int] = {}
    for hour, rows in hours:
        days[hour // 24] = days.get(hour // 24, 0) + rows
    return sorted(days.items())

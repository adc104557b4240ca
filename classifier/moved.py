"""What moved: which hosts, content types and labels a shift of scores or embeddings comes from, by captured flows.

A sample of captures from before and one from now are judged by the release in service. The index is a sum over bins of
(now - before) times a slope (`classifier.stability.slopes`), and the flows of a host, a content type or a label have
their own share of every bin: so each one's part of the index is exact, and the parts of one kind add up to the whole.
"""

import contextlib
import random
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import numpy as np

from classifier import store
from classifier.basis import Basis, Doubles
from classifier.drift import Figure
from classifier.errors import UserError
from classifier.records import FlowRecord, Label, phases
from classifier.reference import embedded
from classifier.scorer import BadScore, Scorer
from classifier.stability import AXIS_BINS, SCORE_BINS, Counts, axis_bins, psi, score_bin, slopes

SAMPLE: Final = 1500
"""Flows of either side that are judged again."""
FEWEST: Final = 200
"""Flows of either side before anything is said."""
LISTED: Final = 5
"""Parts of a kind, and flows worth a label, that are named."""
_A_FILE: Final = 200
"""Flows taken from one file at most, so that a sample spreads over many hours."""


class Part(msgspec.Struct, frozen=True):
    """What one value (a host, …) brought: `part` of the whole shift (all parts add up to 1), and its share of flows."""

    kind: str
    name: str
    part: float
    before: float
    now: float


class Shift(msgspec.Struct, frozen=True):
    """Where a figure's shift comes from. `psi` is the samples' own; `before` and `now` count them."""

    phase: str
    of: str
    psi: float
    before: int
    now: int
    parts: list[Part]


class Doubt(msgspec.Struct, frozen=True):
    """A flow worth a label."""

    id: str
    what: str
    label: Label
    threat: float


class Sides(NamedTuple):
    """Captured flows, masked."""

    before: list[FlowRecord]
    now: list[FlowRecord]


class View(NamedTuple):
    """One phase of a captured flow as the release in service judges it, `bins` by what a figure is of."""

    flow: FlowRecord
    label: Label
    threat: float
    bins: Mapping[str, int]


def samples(folder: Path, begun: float, unreadable: list[Path], seed: int = 0) -> Sides:
    """Captured flows from before `begun` (Unix seconds) and from then on, at most SAMPLE of each.

    Raises UserError when there are no captures. A file that cannot be read is appended to `unreadable`.
    """
    rng = random.Random(seed)
    files = sorted(path for path in folder.glob("date=*/proxy=*/*") if path.suffix in (".parquet", ".arrows"))
    if not files:
        raise UserError(f"no captures in {folder}: `sluice run` makes them")
    rng.shuffle(files)
    sides = Sides([], [])
    for path in files:
        wanted = [number for number in _sides(path, begun) if len(sides[number]) < SAMPLE]
        if not wanted:
            continue
        rows = [row.record for row in store.read([path], unreadable=unreadable)]
        for number in wanted:
            found = [record for record in rows if (record.time >= begun) == bool(number)]
            sides[number].extend(rng.sample(found, min(len(found), _A_FILE, SAMPLE - len(sides[number]))))
    return sides


def _sides(path: Path, begun: float) -> list[int]:
    """Which sides a file may hold flows of: it is named for the day it was begun on and was last written at its end."""
    day = f"date={datetime.fromtimestamp(begun, UTC):%Y-%m-%d}"
    return [side for side, held in enumerate((path.parent.parent.name <= day, path.stat().st_mtime >= begun)) if held]


def explain(
    scorer: Scorer, figures: Sequence[Figure], bases: Mapping[str, Basis], sides: Sides, labelled: Container[str] = ()
) -> tuple[list[Shift], list[Doubt]]:
    """Where each figure's shift comes from, and the flows of now that are most worth a label.

    `bases` are the release's by phase. A figure is left out while either side has fewer than FEWEST flows of its phase.
    """
    before, now = (_views(scorer, figures, bases, side) for side in sides)
    shifts = []
    for figure in figures:
        old, new = before[figure.phase], now[figure.phase]
        if min(len(old), len(new)) >= FEWEST and all(figure.of in view.bins for view in (*old[:1], *new[:1])):
            shifts.append(_shift(figure, old, new))
    return shifts, _doubts(shifts, now, labelled)


def _views(
    scorer: Scorer, figures: Sequence[Figure], bases: Mapping[str, Basis], records: Iterable[FlowRecord]
) -> dict[str, list[View]]:
    """Each wanted phase of each flow."""
    axes = {figure.phase: figure.axis for figure in figures if figure.of == "embedding"}
    wanted = {figure.phase for figure in figures}
    found: dict[str, list[View]] = defaultdict(list)
    for record in records:
        for view in (*_tunnel(record), *phases(record)):
            if view.phase in wanted:
                with contextlib.suppress(BadScore):
                    verdict, embedding = embedded(scorer, view)
                    bins = {"score": score_bin(verdict.threat)}
                    if view.phase in axes and view.phase in bases:
                        bins["embedding"] = int(
                            axis_bins(bases[view.phase].project(embedding[None]))[0, axes[view.phase]]
                        )
                    found[view.phase].append(View(record, verdict.label, verdict.threat, bins))
    return found


def _tunnel(record: FlowRecord) -> list[FlowRecord]:
    """The CONNECT that an https request came through; it is not captured by itself."""
    if record.kind != "http" or record.scheme != "https":
        return []
    return [FlowRecord(phase="connect", method="CONNECT", host=record.host, port=record.port or 443, time=record.time)]


def _shift(figure: Figure, before: Sequence[View], now: Sequence[View]) -> Shift:
    width = SCORE_BINS if figure.of == "score" else AXIS_BINS
    old, new = (_counts((view.bins[figure.of] for view in side), width) for side in (before, now))
    slope = slopes(old, new)
    whole = float((new / new.sum() - old / old.sum()) @ slope) or 1.0
    parts: list[Part] = []
    for kind, name in KINDS.items():
        shares = [_grouped(side, name, figure.of, width) for side in (before, now)]
        found = []
        for value in {*shares[0], *shares[1]}:
            was, is_ = (side.get(value, np.zeros(width)) for side in shares)
            found.append(Part(kind, value, float((is_ - was) @ slope) / whole, float(was.sum()), float(is_.sum())))
        parts += sorted(found, key=lambda part: -part.part)[:LISTED]
    return Shift(figure.phase, figure.of, psi(old, new), len(before), len(now), parts)


def _counts(places: Iterable[int], width: int) -> Counts:
    return np.bincount(list(places), minlength=width)


def _grouped(views: Sequence[View], name: Callable[[View], str], of: str, width: int) -> dict[str, Doubles]:
    """Each value's share of all flows by bin [width]."""
    found: dict[str, Doubles] = defaultdict(lambda: np.zeros(width))
    for view in views:
        found[name(view)][view.bins[of]] += 1.0 / len(views)
    return found


def _doubts(shifts: Sequence[Shift], now: Mapping[str, Sequence[View]], labelled: Container[str]) -> list[Doubt]:
    """The most threatening flows of the hosts that brought most, each once."""
    hosts = {part.name for shift in shifts for part in shift.parts if part.kind == "host" and part.part > 0}
    views = sorted((view for found in now.values() for view in found), key=lambda view: -view.threat)
    chosen = {
        view.flow.id: view
        for view in reversed(views)
        if view.flow.site in hosts and view.flow.id and view.flow.id not in labelled
    }
    first = sorted(chosen.values(), key=lambda view: -view.threat)[:LISTED]
    return [Doubt(view.flow.id, _what(view.flow), view.label, view.threat) for view in first]


def _what(flow: FlowRecord) -> str:
    """A flow in a few words, without its query."""
    return f"{flow.method} {flow.site}{flow.path.partition('?')[0]}".strip()


def _content(view: View) -> str:
    """The type of the answer, else of the request, without parameters."""
    flow = view.flow
    for headers in (flow.response_headers, flow.request_headers):
        for name, value in headers:
            if name.lower() == "content-type":
                return value.partition(";")[0].strip().lower() or "none"
    return "none"


KINDS: Final[Mapping[str, Callable[[View], str]]] = {
    "host": lambda view: view.flow.site or "none",
    "content type": _content,
    "label": lambda view: str(view.label),
}
"""What a shift is taken apart by."""

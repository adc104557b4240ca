"""How unlike a site's traffic a flow is, in the model's embedding; and which of the flows that passed deserve a look.

The distance of a flow is the cosine distance to its `NEAR`-th nearest flow that is known: traffic that passed, and what
an administrator labelled (the k-nearest-neighbour outlier score of Ramaswamy, Rastogi and Shim 2000, SIGMOD,
doi:10.1145/342009.335437). As a number that means something it is given as the share of the known traffic that lies
closer to its own neighbours, 0 to 1, which needs no scale and survives a change of the model.
"""

import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from classifier import store
from classifier.features import vectorize
from classifier.journal import ADMIN, Event, Journal
from classifier.records import FlowRecord
from classifier.review import PICKED, STRANGE, UNSURE, Kept, doubt, ranked, remember, shape, waiting
from classifier.rows import CaptureRow
from classifier.scorer import BadScore, Scorer

Floats = npt.NDArray[np.float32]
Counts = npt.NDArray[np.int64]

NEAR: Final = 5
"""A flow lies as far off as its fifth nearest known one: a handful alike is traffic, one or two may be chance."""
LEAST: Final = 50
"""Known flows below which nothing is called strange."""
SEEN: Final = 4000
"""Captured flows that are looked at, the newest."""
SHAPES: Final = 800
"""Different ones among them that are compared: the model embeds one in about half a millisecond."""
PICKS: Final = 20
"""Flows that passed and wait for a word, at most: the queue is for a person."""


class Sort(NamedTuple):
    """Captured flows that differ only in numbers and queries: the newest of them, and how many there were."""

    row: CaptureRow
    size: int


class Known(NamedTuple):
    """Reference flows: unit vectors float32 [N, D] and how many flows each stands for, int [N]."""

    vectors: Floats
    counts: Counts


def refresh(journal: Journal, captures: Path, scorer: Scorer) -> int:
    """Find out how strange the waiting events are, and pick flows that passed, up to `PICKS` in all; how many now.

    Takes seconds: not for an event loop, and not for a process that serves.
    """
    sorts = [each for each in seen(captures) if each.row.action == "allow"]
    passed = _vectors([each.row.record for each in sorts], scorer)
    spoken = _vectors([event.record for event in _spoken(journal)], scorer)
    counts = np.array([*(each.size for each in sorts), *[NEAR] * len(spoken)], np.int64)
    known = Known(np.concatenate([part for part in (passed, spoken) if len(part)] or [passed]), counts)
    events = [event for each in waiting(journal) if (event := journal.find(each.event))]
    novel = novelty(_vectors([event.record for event in events], scorer), known)
    remember(journal, {event.id: float(share) for event, share in zip(events, novel, strict=True)})
    strange = novelty(passed, known, own=True)
    return _pick(journal, list(zip(sorts, strange.tolist(), strict=True)))


def novelty(rows: Floats, known: Known, *, own: bool = False) -> Floats:
    """Share [N] of the known traffic that is less strange than each of `rows` [N, D] (unit vectors).

    With `own` the rows are the first of the known ones themselves. Nothing is strange beside too little traffic.
    """
    if known.counts.sum() < LEAST or not len(rows):
        return np.zeros(len(rows), np.float32)
    usual = _reach(known.vectors, known, own=True)
    found = usual[: len(rows)] if own else _reach(rows, known, own=False)
    order = np.argsort(usual)
    below = np.concatenate([[0], np.cumsum(known.counts[order])])
    # What differs by rounding only is no stranger.
    places = np.searchsorted(usual[order], found - 1e-6, side="left")
    return np.asarray(below[places] / below[-1], np.float32)


def seen(captures: Path) -> list[Sort]:
    """The sorts of flow among the newest captures, the newest first; bare connections are left out."""
    latest: dict[str, CaptureRow] = {}
    counts: dict[str, int] = {}
    for row in newest(captures, SEEN):
        if row.record.phase != "connect" and row.verdicts.get(row.record.phase):
            name = shape(row.record)
            counts[name] = counts.get(name, 0) + 1
            latest[name] = max(latest.get(name, row), row, key=_time)
    sorts = [Sort(row, counts[name]) for name, row in latest.items()]
    return sorted(sorts, key=lambda each: -each.row.record.time)[:SHAPES]


def newest(captures: Path, most: int) -> Iterator[CaptureRow]:
    """The rows of the newest files, until `most` were seen."""
    files = [path for path in captures.glob("date=*/proxy=*/*") if path.suffix in (".parquet", ".arrows")]
    count = 0
    for path in sorted(files, key=_written, reverse=True):
        if count >= most:
            return
        for row in store.read([path]):
            count += 1
            yield row


def _pick(journal: Journal, sorts: Iterable[tuple[Sort, float]]) -> int:
    """Write the most worthwhile flows down as events, unless their like is or was in the queue."""
    said = {name for (name,) in journal.rows("select flow from labels where origin = ?", ADMIN)}
    picked = [event for event in _events(journal, "rule = ?", PICKED)]
    shapes = {shape(event.record) for event in picked}
    room = PICKS - sum(event.id not in said and event.record.id not in said for event in picked)
    chosen: dict[str, Event] = {}
    kept: dict[str, Kept] = {}
    for sort, strange in sorts:
        event = _event(sort.row)
        if event.record.id in said or shape(event.record) in shapes:
            continue
        if strange >= STRANGE or doubt(event.verdict) >= UNSURE:
            chosen[event.id], kept[event.id] = event, Kept(strange)
    best = ranked(list(chosen.values()), {}, kept)[: max(0, room)]
    for event in best:
        journal.event(event)
    remember(journal, {event.id: kept[event.id].novelty for event in best})
    return len(best)


def _event(row: CaptureRow) -> Event:
    verdict = row.verdicts[row.record.phase]
    return Event(
        id=uuid.uuid4().hex,
        time=row.record.time,
        record=row.record,
        verdict=verdict,
        action=row.action,
        enforced=row.enforced,
        reason="below every threshold",
        release=row.release,
        rule=PICKED,
        label=verdict.label,
    )


def _spoken(journal: Journal) -> Iterator[Event]:
    """Events that an administrator has labelled: whatever they are, they are known."""
    spoken = "exists (select 1 from labels where labels.flow in (events.id, events.flow) and labels.origin = ?)"
    return _events(journal, spoken, ADMIN)


def _events(journal: Journal, condition: str, *values: Any) -> Iterator[Event]:
    for (name,) in journal.rows(f"select id from events where {condition} order by time desc limit {SHAPES}", *values):
        if event := journal.find(name):
            yield event


def _vectors(records: Sequence[FlowRecord], scorer: Scorer) -> Floats:
    """Embeddings as unit vectors float32 [N, D]; zero, which is far from everything, where there is none."""
    rows = []
    for record in records:
        try:
            rows.append(scorer.embed(vectorize(record)))
        except BadScore:
            rows.append(np.zeros(1, np.float32))
    width = max((len(row) for row in rows), default=0)
    found = np.array([np.resize(row, width) if len(row) == 1 else row for row in rows], np.float32)
    found = found.reshape(len(rows), width)
    return np.asarray(found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12), np.float32)


def _reach(rows: Floats, known: Known, *, own: bool) -> Floats:
    """Cosine distance [N] of each row to its `NEAR`-th nearest known flow; with `own` the rows are the known ones."""
    far = 1.0 - rows @ known.vectors.T
    counts = np.broadcast_to(known.counts, far.shape).copy()
    if own:
        np.fill_diagonal(far, 0.0)
        np.fill_diagonal(counts, known.counts - 1)
    order = np.argsort(far, axis=1)
    reached = np.cumsum(np.take_along_axis(counts, order, 1), axis=1) >= NEAR
    first = np.where(reached.any(1), reached.argmax(1), far.shape[1] - 1)
    found: Floats = np.take_along_axis(far, np.take_along_axis(order, first[:, None], 1), 1)[:, 0]
    return found


def _written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # sealed meanwhile; `store.read` finds it
        return time.time()


def _time(row: CaptureRow) -> float:
    return row.record.time

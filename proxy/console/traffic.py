"""The flow log, read from the captures: newest first, filtered, a page at a time.

The files are the store's own, of every worker, so the log also shows what came before the last start. Only the columns
that are shown are read, newest file first, and a search that finds little stops after `PATIENCE` seconds and says how
far back it looked. Never call it on an event loop.
"""

import contextlib
import functools
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from classifier.records import Phase
from classifier.rows import PHASES, CaptureRow, decode
from classifier.segments import batches

PAGE: Final = 50
MOST: Final = 500
"""Flows of a page, unless told, and at most."""
PATIENCE: Final = 2.0
_SHOWN: Final = (
    "id", "time", "phase", "client", "host", "sni", "port", "scheme", "method", "path", "status",
    "action", "enforced", "event", "release",
)  # fmt: skip
_SCORED: Final = tuple(f"{phase}_{name}" for phase in PHASES for name in ("label", "threat"))
_LONG: Final = 300
"""Characters of an address that are shown."""


class Query(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to look for; empty conditions always fit. Times are Unix seconds, `before` is exclusive.

    `text` is looked for in host and path. `connections` also gives flows that are no more than a connection.
    """

    action: str = ""
    label: str = ""
    host: str = ""
    client: str = ""
    text: str = ""
    since: float = 0.0
    before: float = 0.0
    connections: bool = False
    limit: int = PAGE


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the log. `threat` is the highest of its phases, `label` what that phase was called."""

    id: str
    time: float
    phase: Phase
    client: str
    method: str
    address: str
    host: str
    path: str
    status: int
    action: str
    enforced: bool
    label: str
    threat: float
    event: str
    release: str


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """Flows, newest first. `older`: the `before` of the next page, 0 at the end; `stopped`: patience ran out there."""

    flows: list[Flow]
    older: float = 0.0
    stopped: bool = False


def search(captures: Path, query: Query) -> Found:
    """Look through the captures. Files that cannot be read are passed over."""
    limit = max(1, min(query.limit, MOST))
    end = time.monotonic() + PATIENCE
    found: list[Flow] = []
    for newest, path in files(captures, query):
        if len(found) > limit and newest < found[limit].time:
            break  # nothing in this file or an older one belongs on this page
        if time.monotonic() > end:
            seen = [flow for flow in found if flow.time >= newest]
            return Found(flows=seen[:limit], older=newest, stopped=True)
        found = sorted([*found, *_matching(path, query, limit)], key=_newest)[: limit + 1]
    return Found(flows=found[:limit], older=found[limit - 1].time if len(found) > limit else 0.0)


def row(captures: Path, flow: str, at: float) -> CaptureRow | None:
    """All that was captured of the flow of that id and time (Unix seconds, give or take a second)."""
    for _, path in files(captures, Query(since=at - 1, before=at + 1)):
        with contextlib.suppress(OSError, pa.ArrowException, KeyError):
            for batch in batches(path):
                found = batch.filter(pc.equal(batch.column("id"), flow))
                if found.num_rows:
                    return list(decode(found))[-1]
    return None


def files(captures: Path, query: Query) -> Iterator[tuple[float, Path]]:
    """Files that may hold such flows, by the time after which nothing was written to them, newest first."""
    found = []
    for path in captures.glob("date=*/proxy=*/*"):
        if path.suffix == ".parquet" or (path.suffix == ".arrows" and not path.with_suffix(".parquet").exists()):
            with contextlib.suppress(FileNotFoundError):
                found.append((path.stat().st_mtime, path))
    for newest, path in sorted(found, reverse=True):
        if newest < query.since:
            break
        first, last = _span(path) if path.suffix == ".parquet" else (0.0, newest)
        if last >= query.since and (not query.before or first < query.before):
            yield newest, path


@functools.lru_cache(maxsize=4096)
def _span(path: Path) -> tuple[float, float]:
    """The earliest and latest time in a sealed file, which never changes."""
    try:
        with pq.ParquetFile(path) as file:
            place = file.schema_arrow.names.index("time")  # nested columns come later, so that the places agree
            groups = [file.metadata.row_group(i).column(place).statistics for i in range(file.num_row_groups)]
            return min(group.min for group in groups), max(group.max for group in groups)
    except (OSError, pa.ArrowException, ValueError, AttributeError):
        return 0.0, math.inf


def _newest(flow: Flow) -> float:
    return -flow.time


def _matching(path: Path, query: Query, limit: int) -> list[Flow]:
    """The newest matching flows of a file, one more than `limit` at most."""
    kept: list[Flow] = []
    try:
        for batch in batches(path, [*_SHOWN, *_SCORED]):
            chosen = batch.filter(_mask(batch, query))
            kept = [*kept, *_flows(chosen, query)]
            if len(kept) > 4 * limit:
                kept = sorted(kept, key=_newest)[: limit + 1]
    except (OSError, pa.ArrowException, KeyError):
        pass
    return sorted(kept, key=_newest)[: limit + 1]


def _mask(batch: pa.RecordBatch, query: Query) -> pa.Array:
    """bool [rows] of what Arrow can decide."""
    column = batch.column
    mask = pc.greater_equal(column("time"), query.since)
    if query.before:
        mask = pc.and_(mask, pc.less(column("time"), query.before))
    if query.action:
        mask = pc.and_(mask, pc.equal(column("action"), query.action))
    if not query.connections:
        alone = pc.and_(pc.equal(column("phase"), "connect"), pc.equal(column("action"), "allow"))
        mask = pc.and_(mask, pc.invert(alone))
    if query.client:
        mask = pc.and_(mask, pc.starts_with(column("client"), query.client))
    if query.host:
        mask = pc.and_(mask, _contains(column("host"), query.host, column("sni")))
    if query.text:
        mask = pc.and_(mask, _contains(column("host"), query.text, column("path")))
    if query.label:
        named = [pc.fill_null(pc.equal(column(f"{phase}_label"), query.label), False) for phase in PHASES]
        mask = pc.and_(mask, pc.or_(pc.or_(named[0], named[1]), pc.or_(named[2], named[3])))
    return pc.fill_null(mask, False)


def _contains(one: pa.Array, wanted: str, other: pa.Array) -> pa.Array:
    return pc.or_(
        pc.match_substring(one, wanted, ignore_case=True), pc.match_substring(other, wanted, ignore_case=True)
    )


def _flows(batch: pa.RecordBatch, query: Query) -> Iterator[Flow]:
    for row in batch.to_pylist():
        flow = _flow(row)
        if not query.label or flow.label == query.label:
            yield flow


def _flow(row: dict[str, Any]) -> Flow:
    judged = [(row[f"{phase}_threat"], row[f"{phase}_label"]) for phase in PHASES if row[f"{phase}_label"]]
    threat, label = max(judged, default=(0.0, ""))
    host = row["host"] or row["sni"] or ""
    return Flow(
        id=row["id"] or "",
        time=row["time"] or 0.0,
        phase=row["phase"],
        client=row["client"] or "",
        method=row["method"] or "",
        address=_address(row, host),
        host=host,
        path=(row["path"] or "")[:_LONG],
        status=row["status"] or 0,
        action=row["action"] or "allow",
        enforced=bool(row["enforced"]),
        label=label,
        threat=threat,
        event=row["event"] or "",
        release=row["release"] or "",
    )


def _address(row: dict[str, Any], host: str) -> str:
    scheme, port, path = row["scheme"] or "", row["port"] or 0, row["path"] or ""
    usual = {"http": 80, "https": 443}.get(scheme, 0)
    place = f"{host}:{port}" if port and port != usual else host
    address = f"{scheme}://{place}{path}" if scheme else f"{place}{path}"
    return address if len(address) <= _LONG else f"{address[:_LONG]}…"

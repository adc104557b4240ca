"""Which rows of capture files are read: each flow once, at its last phase, and of many flows the newest.

A first pass over a few columns. It holds about 50 bytes a row, so that millions of rows need no memory to speak of;
only rows that are chosen are decoded afterwards.
"""

import logging
from collections.abc import Container, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from classifier.rows import PHASES
from classifier.segments import batches

log = logging.getLogger(__name__)

Rows = npt.NDArray[np.int64]

_COLUMNS: Final = ("id", "phase", "time", "event", "client", "host", "sni", "qname")
_LATER: Final = _COLUMNS[3:]
_ORDER: Final = {phase: number for number, phase in enumerate(PHASES)}
_ENTRY: Final = np.dtype(
    [
        ("flow", np.int64),  # a hash of the id: two of a million flows share one once in 10^7 runs
        ("phase", np.int8),
        ("time", np.float64),
        ("client", np.int64),
        ("site", np.int64),
        ("named", np.bool_),
        ("file", np.int32),
        ("row", np.int32),
    ]
)
Entries = npt.NDArray[np.void]


class Share(NamedTuple):
    """How many flows are wanted, and up to how many of one client and of one site are taken before any others."""

    flows: int
    client: int
    site: int


def choose(
    files: Sequence[Path], since: float | None, bad: list[Path], share: Share | None = None, named: Container[str] = ()
) -> dict[int, Rows]:
    """The rows of each file, by its place in `files`, in their order.

    `since` (Unix seconds) leaves older flows out. With a `share`, of the flows that are not `named` (by id or by event)
    only so many are chosen: the newest of each client and site first, then the newest of all. What cannot be read is
    appended to `bad`.
    """
    parts = [_entries(number, path, bad, named) for number, path in enumerate(files)]
    found = np.concatenate(parts) if parts else np.empty(0, _ENTRY)
    del parts
    if since is not None:
        found = found[found["time"] >= since]
    found = _last(found)
    if share is not None:
        found = _newest(found, share)
    return {int(number): np.sort(found["row"][found["file"] == number]) for number in np.unique(found["file"])}


def positions(
    path: Path, bad: list[Path], columns: Sequence[str] | None = None
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """A file's batches with the number of their first row; a stream sealed meanwhile is read where it went.

    A file that cannot be read is named in a warning and appended to `bad`.
    """
    position = 0
    try:
        sealed = path.with_suffix(".parquet")
        for batch in batches(path if path.exists() or not sealed.exists() else sealed, columns):
            yield position, batch
            position += batch.num_rows
    except (OSError, pa.ArrowException, KeyError) as error:
        if path not in bad:
            log.warning("capture %s cannot be read: %s", path, error)
            bad.append(path)


def _entries(number: int, path: Path, bad: list[Path], named: Container[str]) -> Entries:
    parts = []
    for position, batch in positions(path, bad, _COLUMNS):
        entries = np.zeros(batch.num_rows, _ENTRY)
        entries["file"], entries["row"] = number, np.arange(position, position + batch.num_rows)
        values = {name: _values(batch, name) for name in _COLUMNS}
        sites = zip(values["host"], values["sni"], values["qname"], strict=True)
        entries["flow"] = [_flow(name, number, row) for row, name in enumerate(values["id"], position)]
        entries["phase"] = [_ORDER[phase] for phase in values["phase"]]
        entries["time"] = [moment or 0.0 for moment in values["time"]]
        entries["client"] = [hash(client) for client in values["client"]]
        entries["site"] = [hash(host or sni or name) for host, sni, name in sites]
        known = zip(values["id"], values["event"], strict=True)
        entries["named"] = [bool(name and name in named) or bool(event and event in named) for name, event in known]
        parts.append(entries)
    return np.concatenate(parts) if parts else np.empty(0, _ENTRY)


def _values(batch: pa.RecordBatch, name: str) -> list[Any]:
    """A column; where a version of another schema has none, nothing is known. Raises KeyError for those of old."""
    if name in _LATER and name not in batch.schema.names:
        return [None] * batch.num_rows
    values: list[Any] = batch.column(name).to_pylist()
    return values


def _flow(name: str, number: int, row: int) -> int:
    """A flow without an id is one of its own."""
    return hash(name) if name else hash((number, row))


def _last(found: Entries) -> Entries:
    """Each flow's last entry: by phase, then by time, then as it was written. One that was named stays so."""
    order = np.lexsort((found["row"], found["file"], found["time"], found["phase"], found["flow"]))
    found = found[order]
    if not len(found):
        return found
    ends = np.append(found["flow"][1:] != found["flow"][:-1], True)
    starts = np.append(0, np.flatnonzero(ends)[:-1] + 1)
    named = np.logical_or.reduceat(found["named"], starts)
    found = found[ends]
    found["named"] = named
    return found


def _newest(found: Entries, share: Share) -> Entries:
    named, others = found[found["named"]], found[~found["named"]]
    others = others[np.lexsort((-others["row"], -others["file"], -others["time"]))]
    first = (_rank(others["client"]) < share.client) & (_rank(others["site"]) < share.site)
    return np.concatenate([named, others[np.argsort(~first, kind="stable")][: share.flows]])


def _rank(group: npt.NDArray[Any]) -> Rows:
    """How many of the same group come before each."""
    order = np.argsort(group, kind="stable")
    ordered = group[order]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])) if len(group) else np.empty(0, np.int64)
    sizes = np.diff(np.append(starts, len(group)))
    rank = np.empty(len(group), np.int64)
    rank[order] = np.arange(len(group)) - np.repeat(starts, sizes)
    return rank

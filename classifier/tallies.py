"""How scores and embeddings fell, hour by hour: bin counts in `sluice.db`, added to by every worker, and references.

    drift            release, phase, axis, hour, bin → rows     axis -1 is the score, 0… are the basis's coordinates
    drift_basis      release, phase → the directions that embeddings are measured along
    drift_reference  release, phase, axis → the counts that later ones are compared with, and where they come from

Counts and means of many flows are all there is: no host, client or path. Hours are whole hours since 1970 (UTC).
"""

import time
from collections.abc import Mapping
from typing import Final, NamedTuple

import msgspec
import numpy as np

from classifier.basis import Basis
from classifier.journal import Journal
from classifier.stability import AXIS_BINS, SCORE_BINS, Counts

HOUR: Final = 3600
SCORE: Final = -1
"""The axis that stands for the score."""
RELEASE: Final = "release"
"""Origin of a reference that came with its release."""
FIRST: Final = "first"
"""Origin of a reference that is the first traffic which the release judged here."""
_SCHEMA: Final = (
    "create table if not exists drift (release text not null, phase text not null, axis integer not null,"
    " hour integer not null, bin integer not null, rows integer not null,"
    " primary key (release, phase, axis, hour, bin)) without rowid",
    "create table if not exists drift_basis (release text not null, phase text not null, made real not null,"
    " basis text not null, primary key (release, phase))",
    "create table if not exists drift_reference (release text not null, phase text not null, axis integer not null,"
    " made real not null, origin text not null, last integer not null, counts text not null,"
    " primary key (release, phase, axis))",
)
_ADD: Final = """
insert into drift (release, phase, axis, hour, bin, rows)
select ?, json_extract(value, '$[0]'), json_extract(value, '$[1]'), ?, json_extract(value, '$[2]'),
  json_extract(value, '$[3]') from json_each(?) where true
on conflict do update set rows = rows + excluded.rows
"""


class Reference(NamedTuple):
    """What later counts [B] are compared with. `last` is the last hour that is part of it, 0 where it came along."""

    counts: Counts
    origin: str
    last: int


class Tallies:
    """The tables, made where they are missing. Raises sqlite3.Error when the disk does not take them."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        for statement in _SCHEMA:
            journal.write(statement)

    def add(self, release: str, counts: Mapping[tuple[str, int], Counts], hour: int) -> None:
        """Add counts [B] by phase and axis to an hour's, in one transaction."""
        rows = [
            (phase, axis, int(place), int(found[place]))
            for (phase, axis), found in counts.items()
            for place in np.flatnonzero(found)
        ]
        if rows:
            self.journal.write(_ADD, release, hour, msgspec.json.encode(rows).decode())

    def hours(self, release: str, phase: str, axis: int) -> list[tuple[int, int]]:
        """Each hour that has rows, oldest first, and how many."""
        query = "select hour, sum(rows) from drift where release = ? and phase = ? and axis = ? group by hour"
        return [(hour, rows) for hour, rows in self.journal.rows(query, release, phase, axis)]

    def counts(self, release: str, phase: str, axis: int, first: int, last: int) -> Counts:
        """The counts [B] of the hours `first` to `last`, both included."""
        found = np.zeros(bins(axis), np.int64)
        query = "select bin, sum(rows) from drift where release = ? and phase = ? and axis = ? and hour between ? and ?"
        for place, rows in self.journal.rows(f"{query} group by bin", release, phase, axis, first, last):
            if 0 <= place < len(found):
                found[place] = rows
        return found

    def basis(self, release: str, phase: str) -> Basis | None:
        """The directions that a release's embeddings are measured along."""
        rows = self.journal.rows("select basis from drift_basis where release = ? and phase = ?", release, phase)
        return msgspec.json.decode(rows[0][0], type=Basis) if rows else None

    def found(self, release: str, phase: str, basis: Basis) -> Basis:
        """Keep a basis unless another process was quicker; returns the one that holds."""
        content = msgspec.json.encode(basis).decode()
        self.journal.write("insert or ignore into drift_basis values (?,?,?,?)", release, phase, time.time(), content)
        return self.basis(release, phase) or basis

    def reference(self, release: str, phase: str, axis: int) -> Reference | None:
        """What an axis is compared with."""
        query = "select counts, origin, last from drift_reference where release = ? and phase = ? and axis = ?"
        rows = self.journal.rows(query, release, phase, axis)
        if not rows:
            return None
        counts, origin, last = rows[0]
        return Reference(np.array(msgspec.json.decode(counts, type=list[int]), np.int64), origin, last)

    def settle(self, release: str, phase: str, axis: int, reference: Reference) -> None:
        """Keep a reference; the first one stays."""
        self.journal.write(
            "insert or ignore into drift_reference values (?,?,?,?,?,?,?)",
            release,
            phase,
            axis,
            time.time(),
            reference.origin,
            reference.last,
            msgspec.json.encode(reference.counts.tolist()).decode(),
        )

    def prune(self, before: float) -> None:
        """Let go of hours older than `before` (Unix seconds), and of releases of which nothing else is left."""
        self.journal.write("delete from drift where hour < ?", int(before) // HOUR)
        for table in ("drift_basis", "drift_reference"):
            self.journal.write(
                f"delete from {table} where made < ? and release not in (select distinct release from drift)", before
            )


def bins(axis: int) -> int:
    """How many bins an axis has."""
    return SCORE_BINS if axis == SCORE else AXIS_BINS

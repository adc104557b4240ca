"""What must not be lost: blocked and flagged events, people's labels and reports, and the audit trail, in SQLite.

Unlike captures these are few and transactional: an event is written with its decision. Write-ahead logging lets
several processes read and write at once (https://www.sqlite.org/wal.html); each thread has its own connection.
"""

import contextlib
import os
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any, Final

import msgspec

from classifier.errors import UserError
from classifier.records import LABELS, FlowRecord, Label, Verdict, from_json, to_json

ADMIN: Final = "admin"
"""The origin that outranks all others."""

_SCHEMA: Final = """
create table if not exists events (
  id text primary key, time real not null, record text not null, verdict text, action text not null,
  enforced integer not null, reason text not null, release text not null);
create index if not exists events_time on events (time);
create table if not exists labels (
  flow text not null, origin text not null, label text not null, weight real not null, time real not null,
  primary key (flow, origin));
create table if not exists audit (time real not null, action text not null, detail text not null);
create table if not exists reports (
  event text primary key, client text not null, first real not null, last real not null, times integer not null);
"""
_LATER: Final = {
    "flow": "text not null default ''",
    "rule": "text not null default ''",
    "label": "text",
    "seen": "text not null default ''",
}
"""Columns of `events` that a database made by an earlier version lacks."""
_COLUMNS: Final = ("id", "time", "record", "verdict", "action", "enforced", "reason", "release", *_LATER)
_EVENT: Final = f"select {', '.join(_COLUMNS)} from events"
_CHUNK: Final = 500
"""Events deleted in one transaction: who writes one meanwhile waits no longer than for that."""
_SPOKEN: Final = """
  exists (select 1 from labels where labels.flow in (events.id, events.flow) {})
"""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One decision worth explaining later. `record` is masked, `time` Unix seconds.

    `rule` names the rule or exception that decided, `label` is what the decision is about, `seen` what the user was
    shown in place of the page ("" for the page itself, or where that is not known).
    """

    id: str
    time: float
    record: FlowRecord
    verdict: Verdict | None
    action: str
    enforced: bool
    reason: str
    release: str
    rule: str = ""
    label: Label | None = None
    seen: str = ""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A user's word that an event was a mistake. `client` reported first; times are Unix seconds."""

    event: str
    client: str
    first: float
    last: float
    times: int


class LabelRow(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody says a flow is; `weight` 0…1 says how sure, `time` is Unix seconds."""

    flow: str
    label: Label
    weight: float
    origin: str
    time: float


class Journal:
    """The database at `path`, made when missing (0600). Raises UserError when it cannot be opened or is none."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._local = threading.local()
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with contextlib.suppress(FileExistsError):
                # Only a new file: to close one that this process has open already drops SQLite's locks on it, and then
                # another process may remove its log (https://www.sqlite.org/howtocorrupt.html, section 2.2).
                os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            self._connection.executescript(_SCHEMA)
            self._widen()
        except (OSError, sqlite3.Error) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise UserError(f"cannot open {self.path}: {reason}; make it writable or move it away") from None

    def event(self, event: Event) -> None:
        """Write an event; one of the same id replaces it. Raises sqlite3.Error when the disk does not take it."""
        verdict = None if event.verdict is None else msgspec.json.encode(event.verdict).decode()
        self.write(
            f"insert or replace into events ({', '.join(_COLUMNS)}) values ({', '.join('?' * len(_COLUMNS))})",
            event.id,
            event.time,
            to_json(event.record).decode(),
            verdict,
            event.action,
            event.enforced,
            event.reason,
            event.release,
            event.record.id,
            event.rule,
            event.label,
            event.seen,
        )

    def saw(self, event_id: str, seen: str) -> None:
        """Note what the user was shown for an event."""
        self.write("update events set seen = ? where id = ?", seen, event_id)

    def find(self, event_id: str) -> Event | None:
        """The event of that id."""
        rows = self.rows(f"{_EVENT} where id = ?", event_id)
        return _event(rows[0]) if rows else None

    def events(self, limit: int = 100) -> list[Event]:
        """The latest events, newest first."""
        return [_event(row) for row in self.rows(f"{_EVENT} order by time desc limit ?", limit)]

    def forget(self, before: float) -> int:
        """Delete events older than `before` (Unix seconds); how many."""
        return self.write("delete from events where time < ?", before)

    def prune(self, before: float, keep: int) -> int:
        """Delete events older than `before` (Unix seconds) or beyond the newest `keep`, with their reports; how many.

        What somebody has labelled stays: fine-tuning may read it again.
        """
        beyond = self.rows("select time from events order by time desc limit 1 offset ?", keep)
        old = f"(time < ? or time <= ?) and not {_SPOKEN.format('')}"
        some = f"delete from events where rowid in (select rowid from events where {old} limit {_CHUNK})"
        gone = 0
        while count := self.write(some, before, beyond[0][0] if beyond else before - 1):
            gone += count
        self.write("delete from reports where event not in (select id from events)")
        return gone

    def report(self, event_id: str, client: str) -> bool:
        """Take down a user's word that an event was a mistake; whether it is the first for that event."""
        now = time.time()
        self.write(
            "insert into reports values (?,?,?,?,1) on conflict(event) do update set last = ?, times = times + 1",
            event_id,
            client,
            now,
            now,
            now,
        )
        return bool(self.rows("select times = 1 from reports where event = ?", event_id)[0][0])

    def reports(self, *, waiting: bool = True, limit: int = 1000) -> list[Report]:
        """Reports, the latest first; with `waiting` only those on whose event no administrator has spoken."""
        spoken = _SPOKEN.format(f"and labels.origin = '{ADMIN}'")
        answered = f"where not exists (select 1 from events where events.id = reports.event and {spoken})"
        rows = self.rows(
            f"select event, client, first, last, times from reports {answered if waiting else ''}"
            " order by last desc limit ?",
            limit,
        )
        return [
            Report(event=event, client=client, first=first, last=last, times=times)
            for event, client, first, last, times in rows
        ]

    def label(self, flow_id: str, label: str, weight: float = 1.0, origin: str = ADMIN) -> None:
        """Say what a flow is; a later word of the same origin replaces the earlier. Raises UserError."""
        if label not in LABELS:
            raise UserError(f"unknown label {label!r}; one of {', '.join(LABELS)}")
        if not 0.0 <= weight <= 1.0:
            raise UserError(f"weight {weight} of flow {flow_id} is not between 0 and 1")
        self.write("insert or replace into labels values (?,?,?,?,?)", flow_id, origin, label, weight, time.time())

    def labels(self) -> dict[str, LabelRow]:
        """Each labelled flow's word: an administrator's, else the latest."""
        rows = self._connection.execute(
            "select flow, label, weight, origin, time from labels order by origin = ?, time", (ADMIN,)
        )
        return {
            flow: LabelRow(flow=flow, label=Label(label), weight=weight, origin=origin, time=moment)
            for flow, label, weight, origin, moment in rows
        }

    def audit(self, action: str, detail: str) -> None:
        """Note who or what changed something."""
        self.write("insert into audit values (?,?,?)", time.time(), action, detail)

    def audits(self, limit: int = 100) -> list[tuple[float, str, str]]:
        """The latest notes, newest first: time (Unix seconds), action, detail."""
        rows = self._connection.execute("select * from audit order by time desc, rowid desc limit ?", (limit,))
        return rows.fetchall()

    def write(self, statement: str, *values: object) -> int:
        """Change something in one transaction; how many rows. Raises sqlite3.Error."""
        with self._connection as connection:
            return connection.execute(statement, values).rowcount

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """What a query finds. Raises sqlite3.Error."""
        return self._connection.execute(query, values).fetchall()

    def close(self) -> None:
        """Close this thread's connection."""
        self._connection.close()
        del self._local.connection

    @property
    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = _connect(self.path)
        return connection

    def _widen(self) -> None:
        known = {row[1] for row in self.rows("pragma table_info(events)")}
        for name, kind in _LATER.items():
            if name not in known:
                with contextlib.suppress(sqlite3.OperationalError):  # another process was quicker
                    self.write(f"alter table events add column {name} {kind}")


def _connect(path: Path) -> sqlite3.Connection:
    # Writers of other processes hold the lock for milliseconds; waiting for it beats failing.
    connection = sqlite3.connect(path, timeout=10.0)
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = normal")
    return connection


def _event(row: tuple[Any, ...]) -> Event:
    fields = dict(zip(_COLUMNS, row, strict=True))
    verdict, label = fields["verdict"], fields["label"]
    return Event(
        id=fields["id"],
        time=fields["time"],
        record=from_json(fields["record"]),
        verdict=None if verdict is None else msgspec.json.decode(verdict, type=Verdict),
        action=fields["action"],
        enforced=bool(fields["enforced"]),
        reason=fields["reason"],
        release=fields["release"],
        rule=fields["rule"],
        label=None if label is None else Label(label),
        seen=fields["seen"],
    )

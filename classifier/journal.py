"""What must not be lost: blocked and flagged events, people's labels, and the audit trail, in SQLite.

Unlike captures these are few and transactional: an event is written with its decision. Write-ahead logging lets
several processes read and write at once (https://www.sqlite.org/wal.html); each thread has its own connection.
"""

import os
import sqlite3
import threading
import time
from pathlib import Path
from typing import Final

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
"""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One decision worth explaining later. `record` is masked, `time` Unix seconds."""

    id: str
    time: float
    record: FlowRecord
    verdict: Verdict | None
    action: str
    enforced: bool
    reason: str
    release: str


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
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self._connection.executescript(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise UserError(f"cannot open {self.path}: {reason}; make it writable or move it away") from None

    def event(self, event: Event) -> None:
        """Write an event; one of the same id replaces it. Raises sqlite3.Error when the disk does not take it."""
        verdict = None if event.verdict is None else msgspec.json.encode(event.verdict).decode()
        self._write(
            "insert or replace into events values (?,?,?,?,?,?,?,?)",
            event.id,
            event.time,
            to_json(event.record).decode(),
            verdict,
            event.action,
            event.enforced,
            event.reason,
            event.release,
        )

    def find(self, event_id: str) -> Event | None:
        """The event of that id."""
        row = self._connection.execute("select * from events where id = ?", (event_id,)).fetchone()
        return None if row is None else _event(row)

    def events(self, limit: int = 100) -> list[Event]:
        """The latest events, newest first."""
        rows = self._connection.execute("select * from events order by time desc limit ?", (limit,))
        return [_event(row) for row in rows]

    def forget(self, before: float) -> int:
        """Delete events older than `before` (Unix seconds); how many."""
        return self._write("delete from events where time < ?", before)

    def label(self, flow_id: str, label: str, weight: float = 1.0, origin: str = ADMIN) -> None:
        """Say what a flow is; a later word of the same origin replaces the earlier. Raises UserError."""
        if label not in LABELS:
            raise UserError(f"unknown label {label!r}; one of {', '.join(LABELS)}")
        if not 0.0 <= weight <= 1.0:
            raise UserError(f"weight {weight} of flow {flow_id} is not between 0 and 1")
        self._write("insert or replace into labels values (?,?,?,?,?)", flow_id, origin, label, weight, time.time())

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
        self._write("insert into audit values (?,?,?)", time.time(), action, detail)

    def audits(self, limit: int = 100) -> list[tuple[float, str, str]]:
        """The latest notes, newest first: time (Unix seconds), action, detail."""
        rows = self._connection.execute("select * from audit order by time desc, rowid desc limit ?", (limit,))
        return rows.fetchall()

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

    def _write(self, statement: str, *values: object) -> int:
        with self._connection as connection:
            return connection.execute(statement, values).rowcount


def _connect(path: Path) -> sqlite3.Connection:
    # Writers of other processes hold the lock for milliseconds; waiting for it beats failing.
    connection = sqlite3.connect(path, timeout=10.0)
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = normal")
    return connection


def _event(row: tuple[str, float, str, str | None, str, int, str, str]) -> Event:
    name, moment, record, verdict, action, enforced, reason, release = row
    return Event(
        id=name,
        time=moment,
        record=from_json(record),
        verdict=None if verdict is None else msgspec.json.decode(verdict, type=Verdict),
        action=action,
        enforced=bool(enforced),
        reason=reason,
        release=release,
    )

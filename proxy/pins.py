"""Applications that accept no certificate but their own: noticed, and passed unread for a while.

Such a client breaks off every handshake with the proxy. After k failures among the last n handshakes for one server, by
one kind of client (JA4 fingerprint), its connections there pass as they come: still judged by name and fingerprint,
counted as not inspected (`pinned`). When the time is up the next handshake is a probe: one failure renews the pin, one
success ends it. A browser with another fingerprint is decrypted at the same server all along.

Handshakes that failed and what is learned from them are kept in the journal's database, so that it outlives restarts
and all workers share it: a client's connections meet now one of them, now another.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from classifier.errors import UserError
from classifier.journal import Journal

TRACKED: Final = 4096
"""Handshakes that are remembered."""
STALE: Final = 30
"""Terms after which a pin that was not renewed is forgotten."""
REFRESH: Final = 30.0
"""Seconds after which pins learned by other workers are read."""
_SCHEMA: Final = (
    "create table if not exists pins (name text not null, ja4 text not null, since real not null, "
    "until real not null, primary key (name, ja4))",
    "create table if not exists handshakes (id integer primary key, name text not null, ja4 text not null, "
    "failed integer not null)",
    "create index if not exists handshakes_key on handshakes (name, ja4)",
)


class Key(NamedTuple):
    """A server, and the fingerprint of those who go there."""

    name: str
    ja4: str


class Limits(NamedTuple):
    """When a server is pinned (`failures` of the last `of` handshakes; 0 never), how long (s), and how many may be."""

    failures: int = 3
    of: int = 5
    expires: float = 86400.0
    limit: int = 1000


class Pins:
    """What was learned so far; `limits` may be changed while it runs."""

    def __init__(self, journal: Journal, limits: Limits, clock: Callable[[], float] = time.time) -> None:
        self.limits = limits
        self._journal, self._clock = journal, clock
        self._failing: set[Key] = set()
        """Those with a failed handshake among the last: the only ones whose good handshakes are worth a note."""
        self._until: dict[Key, float] = {}
        self._read = float("-inf")
        _prepare(journal)

    def __len__(self) -> int:
        """How many servers pass unread now."""
        now = self._clock()
        return sum(until > now for until in self._until.values())

    def holds(self, key: Key) -> bool:
        """Whether connections of `key` pass unread."""
        now = self._clock()
        if now - self._read > REFRESH:
            self._refresh(now)
        return bool(self.limits.failures) and self._until.get(key, 0.0) > now

    def accepted(self, key: Key) -> None:
        """The client took our certificate."""
        if key in self._failing:
            self._note(key, False)
        if self._until.pop(key, None) is not None:
            self._failing.discard(key)
            self._journal.write("delete from handshakes where name = ? and ja4 = ?", *key)
            self._journal.write("delete from pins where name = ? and ja4 = ?", *key)

    def refused(self, key: Key) -> bool:
        """The client did not take our certificate; whether it passes unread from now on."""
        if not self.limits.failures:
            return False
        failures = self._note(key, True)
        if key not in self._until and (failures < self.limits.failures or len(self) >= self.limits.limit):
            return False
        now = self._clock()
        self._until[key] = until = now + self.limits.expires
        self._journal.write("delete from pins where until < ?", now - STALE * self.limits.expires)
        self._journal.write("insert or replace into pins values (?,?,?,?)", *key, now, until)
        self._journal.audit("pin", f"{key.name} passes unread for clients with JA4 {key.ja4} until {_date(until)}")
        return True

    def _note(self, key: Key, failed: bool) -> int:
        """Remember a handshake; how many of the last ones failed, whichever workers saw them."""
        self._failing.add(key)
        last = max(self.limits.of, self.limits.failures)
        self._journal.write("insert into handshakes (name, ja4, failed) values (?,?,?)", *key, failed)
        self._journal.write("delete from handshakes where id <= (select max(id) from handshakes) - ?", TRACKED)
        seen = self._journal.rows(
            "select failed from handshakes where name = ? and ja4 = ? order by id desc limit ?", *key, last
        )
        return sum(row[0] for row in seen)

    def _refresh(self, now: float) -> None:
        """Read what all workers have learned."""
        self._read = now
        rows = self._journal.rows("select name, ja4, until from pins order by until desc limit ?", self.limits.limit)
        self._until = {Key(name, ja4): until for name, ja4, until in rows}
        failed = self._journal.rows("select distinct name, ja4 from handshakes where failed")
        self._failing = {Key(name, ja4) for name, ja4 in failed}


def show(state: Path, name: str = "") -> None:
    """Print the pins of a state directory, or take those of the server `name` back (`*`: all). Raises UserError."""
    database = state / "sluice.db"
    if not database.exists():
        raise UserError(f"no pins in {state}; choose the proxy's state directory with --state")
    journal = Journal(database)
    _prepare(journal)
    if name:
        gone = journal.write("delete from pins where name = ? or ? = '*'", name, name)
        print(f"{gone} pins are forgotten; a running proxy notices within {REFRESH:.0f} seconds")
        return
    rows = journal.rows("select name, ja4, since, until from pins order by since desc")
    for server, ja4, since, until in rows:
        print(f"{server}  {ja4}  since {_date(since)}  until {_date(until)}")
    if not rows:
        print("no server is pinned")


def _prepare(journal: Journal) -> None:
    for statement in _SCHEMA:
        journal.write(statement)


def _date(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(moment))

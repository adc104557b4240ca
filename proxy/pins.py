"""Applications that accept no certificate but their own: noticed, and passed unread for a while.

Such a client breaks off every handshake with the proxy. After k failures among the last n handshakes for one server, by
one kind of client (JA4 fingerprint), its connections there pass as they come: still judged by name and fingerprint,
counted as not inspected (`pinned`). When the time is up the next handshake is a probe: one failure renews the pin, one
success ends it. A browser with another fingerprint is decrypted at the same server all along.

What is learned is kept in the journal's database, so that it outlives restarts and all workers share it.
"""

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from classifier.errors import UserError
from classifier.journal import Journal

TRACKED: Final = 4096
"""Servers whose last handshakes are remembered."""
STALE: Final = 30
"""Terms after which a pin that was not renewed is forgotten."""
REFRESH: Final = 30.0
"""Seconds after which pins learned by other workers are read."""
_SCHEMA: Final = """create table if not exists pins (
  name text not null, ja4 text not null, since real not null, until real not null, primary key (name, ja4))"""


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
        self._failed: OrderedDict[Key, deque[bool]] = OrderedDict()
        self._until: dict[Key, float] = {}
        self._read = float("-inf")
        journal.write(_SCHEMA)

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
        if key in self._failed:
            self._note(key, False)
        if self._until.pop(key, None) is not None:
            self._failed.pop(key, None)
            self._journal.write("delete from pins where name = ? and ja4 = ?", *key)

    def refused(self, key: Key) -> bool:
        """The client did not take our certificate; whether it passes unread from now on."""
        if not self.limits.failures:
            return False
        failures = sum(self._note(key, True))
        if key not in self._until and (failures < self.limits.failures or len(self) >= self.limits.limit):
            return False
        now = self._clock()
        self._until[key] = until = now + self.limits.expires
        self._journal.write("delete from pins where until < ?", now - STALE * self.limits.expires)
        self._journal.write("insert or replace into pins values (?,?,?,?)", *key, now, until)
        self._journal.audit("pin", f"{key.name} passes unread for clients with JA4 {key.ja4} until {_date(until)}")
        return True

    def _note(self, key: Key, failed: bool) -> deque[bool]:
        last = self._failed.pop(key, None) or deque(maxlen=max(self.limits.of, self.limits.failures))
        last.append(failed)
        self._failed[key] = last
        if len(self._failed) > TRACKED:
            self._failed.popitem(last=False)
        return last

    def _refresh(self, now: float) -> None:
        """Read the pins of all workers."""
        self._read = now
        rows = self._journal.rows("select name, ja4, until from pins order by until desc limit ?", self.limits.limit)
        self._until = {Key(name, ja4): until for name, ja4, until in rows}


def show(state: Path, name: str = "") -> None:
    """Print the pins of a state directory, or take those of the server `name` back (`*`: all). Raises UserError."""
    database = state / "sluice.db"
    if not database.exists():
        raise UserError(f"no pins in {state}; choose the proxy's state directory with --state")
    journal = Journal(database)
    journal.write(_SCHEMA)
    if name:
        gone = journal.write("delete from pins where name = ? or ? = '*'", name, name)
        print(f"{gone} pins are forgotten; a running proxy notices within {REFRESH:.0f} seconds")
        return
    rows = journal.rows("select name, ja4, since, until from pins order by since desc")
    for server, ja4, since, until in rows:
        print(f"{server}  {ja4}  since {_date(since)}  until {_date(until)}")
    if not rows:
        print("no server is pinned")


def _date(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(moment))

"""How pieces of work ended, in `sluice.db`: what was learned or compared outlives a restart of the proxy."""

from typing import Any, Final

import msgspec

from classifier.journal import Journal

KEPT: Final = 20
"""Pieces of work of a kind that are kept, the latest."""
_SCHEMA: Final = (
    "create table if not exists work (kind text not null, started real not null, body text not null, "
    "primary key (kind, started))"
)


class Kept[T: msgspec.Struct]:
    """Work of one `kind`; `form` is the type of its records, which have a field `started` (Unix seconds)."""

    def __init__(self, journal: Journal, kind: str, form: type[T]) -> None:
        self._journal, self._kind, self._form = journal, kind, form
        journal.write(_SCHEMA)

    def put(self, work: T) -> None:
        """Keep a record in place of the one that was started at the same moment. Writes; not for an event loop."""
        started: Any = getattr(work, "started")  # noqa: B009 - T is known to have it by contract only
        self._journal.write(
            "insert or replace into work values (?,?,?)", self._kind, started, msgspec.json.encode(work).decode()
        )
        self._journal.write(
            "delete from work where kind = ? and started not in "
            "(select started from work where kind = ? order by started desc limit ?)",
            self._kind,
            self._kind,
            KEPT,
        )

    def latest(self) -> list[T]:
        """All that are kept, the latest first; what an earlier version wrote and nobody can read is left out."""
        rows = self._journal.rows("select body from work where kind = ? order by started desc", self._kind)
        return [found for (body,) in rows if (found := self._read(body)) is not None]

    def _read(self, body: str) -> T | None:
        try:
            return msgspec.json.decode(body, type=self._form)
        except msgspec.MsgspecError:
            return None

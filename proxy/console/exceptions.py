"""Exceptions made in the console: `exceptions.toml` in the state, which the policy loads besides `sluice.toml`.

The file holds `[[policy.exceptions]]` tables as in `sluice.toml` and may be edited by hand; the console adds to it and
removes from it. Every exception has an owner, a reason and, unless told otherwise, an end.
"""

import json
import secrets
import threading
import time
import tomllib
from datetime import UTC, date, datetime
from datetime import time as clock
from pathlib import Path
from typing import Any, Final

import msgspec

from classifier.disk import replace
from classifier.errors import UserError
from classifier.journal import Journal
from classifier.records import LABELS
from proxy.config import DEFAULT_FILE, EXCEPTIONS, load
from proxy.needed import known

FILE: Final = EXCEPTIONS
DAYS: Final = (1, 7, 30, 90, 0)
"""Choices of how long; 0 is without an end."""
_SHOWN: Final = ("name", "host", "path", "label", "client", "owner", "reason", "expires")
_MORE: Final = ("host_list", "adblock_list", "method", "threat", "retire")
LONGEST: Final = 500
"""Characters of a value."""


class Allowed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One exception. Empty conditions always fit; `expires` is ISO 8601 in UTC, empty for never.

    `source` is the configuration file that holds it, empty for one that was made in the console; `more` are conditions
    that only a file can have, in words; `unneeded`: the release in service does without it.
    """

    name: str
    host: str = ""
    path: str = ""
    label: str = ""
    client: str = ""
    owner: str
    reason: str
    expires: str = ""
    source: str = ""
    more: str = ""
    unneeded: bool = False

    @property
    def over(self) -> bool:
        """Whether its end has come."""
        return bool(self.expires) and datetime.fromisoformat(self.expires).timestamp() <= time.time()


class Wish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An exception to make. `days` from now it ends; 0 never."""

    host: str = ""
    path: str = ""
    label: str = ""
    client: str = ""
    owner: str = "console"
    reason: str
    days: float = 7


class Exceptions:
    """The file of a state directory. Methods read and write it; not for an event loop."""

    def __init__(self, state: Path) -> None:
        self.path = state / FILE
        self._lock = threading.Lock()

    def every(self) -> list[Allowed]:
        """All of them, as they stand in the file. Raises UserError when it is damaged."""
        return [_allowed(table, number) for number, table in enumerate(self._tables(), 1)]

    def add(self, wish: Wish) -> Allowed:
        """Write an exception that the policy accepts. Raises UserError."""
        table = _table(wish)
        with self._lock:
            self._write([*self._tables(), table])
        return _allowed(table, 0)

    def remove(self, name: str) -> Allowed:
        """Take an exception away. Raises UserError when there is none of that name."""
        with self._lock:
            tables = self._tables()
            kept = [table for number, table in enumerate(tables, 1) if _allowed(table, number).name != name]
            if len(kept) == len(tables):
                raise UserError(f"no exception {name!r}")
            gone = next(found for found in self.every() if found.name == name)
            self._write(kept)
        return gone

    def _tables(self) -> list[dict[str, Any]]:
        try:
            found = tomllib.loads(self.path.read_text("utf-8")).get("policy", {}).get("exceptions", [])
            return [dict(table) for table in found]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, AttributeError, TypeError) as error:
            raise UserError(f"{self.path} cannot be read ({error}); mend it or move it away") from None

    def _write(self, tables: list[dict[str, Any]]) -> None:
        """Check the whole as the policy will, then put it in place."""
        head = "# Written by the console; see docs/console.md. `sluice policy check` reads this file too.\n"
        content = head + "".join(f"\n[[policy.exceptions]]\n{_lines(table)}" for table in tables)
        draft = self.path.with_name(f".{FILE}.{secrets.token_hex(8)}")
        try:
            draft.write_text(content, "utf-8")
            load(draft)
            replace(self.path, content.encode())
        except UserError as error:
            raise UserError(str(error).removeprefix(f"{draft}: ")) from None
        except OSError as error:
            raise UserError(f"{self.path} cannot be written: {error.strerror}") from None
        finally:
            draft.unlink(missing_ok=True)


def configured(file: Path | None) -> list[Allowed]:
    """The exceptions of a configuration file, read-only. None where it cannot be read: the policy in force was read
    before it broke, and says so in the log.
    """
    path = file or DEFAULT_FILE
    try:
        found = tomllib.loads(path.read_text("utf-8")).get("policy", {}).get("exceptions", [])
        return [_allowed(dict(table), number, path.name) for number, table in enumerate(found, 1)]
    except (OSError, ValueError, AttributeError, TypeError):
        return []


def judged(listed: list[Allowed], journal: Journal) -> list[Allowed]:
    """The exceptions, with what is known of whether they are needed (`proxy.needed`)."""
    done = {need.name for need in known(journal) if not need.needed}
    return [msgspec.structs.replace(each, unneeded=each.name in done) for each in listed]


def _table(wish: Wish) -> dict[str, Any]:
    conditions = {name: getattr(wish, name).strip() for name in ("host", "path", "label", "client")}
    told = {**conditions, "owner": wish.owner.strip() or "console", "reason": wish.reason.strip()}
    if not any(conditions[name] for name in ("host", "client")):
        raise UserError("an exception needs a site or a client: without either it would switch the filter off")
    if not told["reason"]:
        raise UserError("say why: the reason is shown to whoever asks later")
    if conditions["label"] and conditions["label"] not in LABELS:
        raise UserError(f"unknown label {conditions['label']!r}; one of {', '.join(LABELS)}")
    for name, value in told.items():
        if len(value) > LONGEST or not value.isprintable():
            raise UserError(f"{name}: at most {LONGEST} printable characters")
    if not 0 <= wish.days <= 3650:
        raise UserError("days: 0 (no end) to 3650")
    ends = {"expires": datetime.fromtimestamp(time.time() + wish.days * 86400, UTC).replace(microsecond=0)}
    name = f"console-{secrets.token_hex(4)}"
    return {"name": name, **{key: value for key, value in told.items() if value}, **(ends if wish.days else {})}


def _allowed(table: dict[str, Any], number: int, source: str = "") -> Allowed:
    shown = {name: _shown(table.get(name, "")) for name in _SHOWN}
    shown["name"] = shown["name"] or f"exception {number}"
    more = ", ".join(f"{name} {_shown(table[name])}" for name in _MORE if name in table)
    return msgspec.convert({**shown, "source": source, "more": more}, Allowed)


def _shown(value: Any) -> str:
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, clock.max, UTC)
    if isinstance(value, datetime):
        return value.replace(tzinfo=value.tzinfo or UTC).isoformat()
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _lines(table: dict[str, Any]) -> str:
    return "".join(f"{key} = {_value(value)}\n" for key, value in table.items())


def _value(value: Any) -> str:
    """A TOML value; of what a hand-edited table may hold, lists too. JSON's strings are TOML's (printable ones)."""
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    return str(value.isoformat())

"""Channels: small files that say which release is served, replaced atomically, with their history beside them.

The pointer is replaced before its line is appended to the history. A crash in between leaves a pointer that
the history does not end with; `before` then takes the end of the history as what was there before.
Two writers at once: the last one wins, and no file is ever half of each.
"""

import contextlib
import datetime
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

import msgspec

from classifier.disk import append, replace, writing
from classifier.errors import UserError

_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,31}")


class Pointer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a channel follows since when (ISO 8601, UTC). `shipped`: the base release, whichever is installed."""

    release: str
    since: str
    shipped: bool = False


class Change(msgspec.Struct, frozen=True):
    """One line of a channel's history."""

    action: Literal["promote", "rollback", "withdraw"]
    to: Pointer


class Channels:
    """The channels in `folder` (state/models/channels)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self) -> list[str]:
        """Channels that point somewhere, sorted."""
        return sorted(path.name for path in self._folder.glob("*") if _NAME.fullmatch(path.name))

    def current(self, channel: str) -> Pointer | None:
        """What the channel follows, None when nothing was promoted. Raises UserError when the file is damaged."""
        path = self._path(channel)
        try:
            return msgspec.json.decode(path.read_bytes(), type=Pointer)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.MsgspecError) as error:
            raise UserError(f"{path}: not a channel file ({error}); promote a release to mend it") from None

    def before(self, channel: str) -> Pointer | None:
        """What the channel followed before its last promotion, None when that was the first."""
        stack: list[Pointer] = []
        for change in self._history(channel):
            if change.action == "promote":
                stack.append(change.to)
            elif change.action == "rollback":
                del stack[-1:]
            else:
                stack.clear()
        pointer = self.current(channel)
        if stack and pointer and stack[-1].release == pointer.release:
            stack.pop()
        return stack[-1] if stack else None

    def promote(self, channel: str, release: str, *, shipped: bool = False) -> None:
        """Follow `release` from now on. Nothing happens when the channel follows it already."""
        with contextlib.suppress(UserError):  # a damaged pointer is mended by the new one
            if (pointer := self.current(channel)) and pointer.release == release:
                return
        self._point("promote", channel, release, shipped)

    def rollback(self, channel: str, release: str, *, shipped: bool = False) -> None:
        """Follow `release`, which was there `before`, again."""
        self._point("rollback", channel, release, shipped)

    def withdraw(self, channel: str) -> None:
        """Follow nothing from now on; what the channel followed is forgotten. Nothing happens when it has none."""
        path = self._path(channel)
        pointer = self.current(channel)
        if pointer is None:
            return
        with writing(self._folder):
            path.unlink(missing_ok=True)
            append(path.with_name(f"{channel}.history"), msgspec.json.encode(Change("withdraw", pointer)))

    def _point(self, action: Literal["promote", "rollback"], channel: str, release: str, shipped: bool) -> None:
        path = self._path(channel)
        pointer = Pointer(release, datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"), shipped)
        with writing(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            replace(path, msgspec.json.encode(pointer) + b"\n")
            append(path.with_name(f"{channel}.history"), msgspec.json.encode(Change(action, pointer)))

    def _history(self, channel: str) -> Iterator[Change]:
        path = self._path(channel).with_name(f"{channel}.history")
        for line in path.read_bytes().splitlines() if path.exists() else ():
            with contextlib.suppress(msgspec.MsgspecError):  # empty, or torn by a crash
                yield msgspec.json.decode(line, type=Change)

    def _path(self, channel: str) -> Path:
        if not _NAME.fullmatch(channel):
            raise UserError(f"channel {channel!r}: a name is lower-case letters, digits and hyphens")
        return self._folder / channel

"""IP fragments put together again (RFC 791 §3.2, RFC 8200 §4.5), as far as the capture has them.

Few traffic is fragmented and what is comes within milliseconds, so only the latest `KEPT` unfinished packets are
remembered; a flood of fragments costs no more than that. Of overlapping fragments the first to come counts.
"""

from collections.abc import Hashable
from typing import Final

KEPT: Final = 256
"""Unfinished packets remembered."""
LARGEST: Final = 65_535
"""Bytes of an IP packet at most."""


class Fragments:
    """Fragments of packets that are not whole yet, oldest packet first."""

    def __init__(self) -> None:
        self._parts: dict[Hashable, dict[int, bytes]] = {}
        self._ends: dict[Hashable, int] = {}

    def add(self, packet: Hashable, offset: int, data: bytes, *, more: bool) -> bytes | None:
        """A fragment of `packet` at `offset` (bytes); the whole once it is there. `more` is false for the last."""
        if offset + len(data) > LARGEST:
            return None
        parts = self._parts.setdefault(packet, {})
        parts.setdefault(offset, data)
        if not more:
            self._ends[packet] = offset + len(data)
        whole = _joined(parts, self._ends.get(packet))
        if whole is not None:
            self._forget(packet)
        elif len(self._parts) > KEPT:
            self._forget(next(iter(self._parts)))
        return whole

    def _forget(self, packet: Hashable) -> None:
        self._parts.pop(packet, None)
        self._ends.pop(packet, None)


def _joined(parts: dict[int, bytes], end: int | None) -> bytes | None:
    """The whole, None while a part is missing."""
    if end is None or 0 not in parts:
        return None
    whole = bytearray()
    for offset in sorted(parts):
        if offset > len(whole):
            return None
        whole += parts[offset][len(whole) - offset :]
    return bytes(whole[:end]) if len(whole) >= end else None

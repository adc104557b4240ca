"""One direction of a TCP connection put back in order (RFC 9293 §3.4), as far as the capture has it.

`Order.feed` takes segments as they were captured and gives bytes as they were sent. A segment that never shows up
leaves a gap, given as `Gap`: at the latest when too much waits behind it, or when the connection ends.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

WAIT_BYTES: Final = 1024 * 1024
WAIT_SEGMENTS: Final = 1024
"""What may wait behind a missing segment before it is given up: a window's worth."""
_HALF: Final = 1 << 31
_MASK: Final = (1 << 32) - 1


class Gap(NamedTuple):
    """Bytes that the capture lacks."""

    size: int


class Order:
    """Puts segments in order. Offsets count from the first byte seen."""

    def __init__(self) -> None:
        self._first: int | None = None
        self._next = 0
        self._waiting: dict[int, bytes] = {}

    def begin(self, seq: int) -> None:
        """Take `seq` for the number of the next byte, as a SYN says."""
        self._first, self._next = seq, 0

    def feed(self, seq: int, payload: bytes) -> Iterator[bytes | Gap]:
        """A segment; what is now in order."""
        if self._first is None:
            self.begin(seq)
        offset = self._offset(seq)
        if offset + len(payload) <= self._next:
            return  # sent again
        if offset > self._next:
            self._keep(offset, payload)
            if sum(map(len, self._waiting.values())) > WAIT_BYTES or len(self._waiting) > WAIT_SEGMENTS:
                yield from self._skip()
            return
        yield self._advance(offset, payload)
        yield from self._drain()

    def finish(self) -> Iterator[bytes | Gap]:
        """Nothing more will come: what still waits, with the gaps before it."""
        while self._waiting:
            yield from self._skip()

    def _offset(self, seq: int) -> int:
        """Sequence numbers wrap at 2^32: take the offset nearest to where we are."""
        assert self._first is not None
        near = (self._first + self._next) & _MASK
        return self._next + ((seq - near + _HALF) & _MASK) - _HALF

    def _keep(self, offset: int, payload: bytes) -> None:
        if len(payload) > len(self._waiting.get(offset, b"")):
            self._waiting[offset] = payload

    def _advance(self, offset: int, payload: bytes) -> bytes:
        fresh = payload[self._next - offset :]
        self._next += len(fresh)
        return fresh

    def _drain(self) -> Iterator[bytes]:
        while self._waiting and (offset := min(self._waiting)) <= self._next:
            payload = self._waiting.pop(offset)
            if offset + len(payload) > self._next:
                yield self._advance(offset, payload)

    def _skip(self) -> Iterator[bytes | Gap]:
        offset = min(self._waiting)
        yield Gap(offset - self._next)
        self._next = offset
        yield from self._drain()

"""How often a password may be tried: a few times at once, then one try every so often, for each address and for all."""

from collections.abc import Callable
from time import monotonic
from typing import Final

EACH: Final = (5, 12.0)
ALL: Final = (30, 2.0)
"""Tries at once, and seconds until one more."""
_ADDRESSES: Final = 1000


class Limit:
    """Counts failed tries; `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._each: dict[str, _Bucket] = {}
        self._all = _Bucket(*ALL)

    def wait(self, address: str) -> float:
        """Seconds that this address must wait; 0 when it may try now."""
        now = self._clock()
        own = self._each.get(address)
        return max(self._all.wait(now), own.wait(now) if own else 0.0)

    def failed(self, address: str) -> None:
        """Count a wrong try."""
        now = self._clock()
        own = self._each.pop(address, None) or _Bucket(*EACH)
        while len(self._each) >= _ADDRESSES:
            del self._each[next(iter(self._each))]
        self._each[address] = own
        own.take(now)
        self._all.take(now)

    def succeeded(self, address: str) -> None:
        """Forget an address's wrong tries."""
        self._each.pop(address, None)


class _Bucket:
    """Tokens that come back one every `seconds`, up to `size`."""

    def __init__(self, size: int, seconds: float) -> None:
        self.size, self.seconds = size, seconds
        self._left, self._at = float(size), 0.0

    def take(self, now: float) -> None:
        self._refill(now)
        self._left = max(0.0, self._left - 1)

    def wait(self, now: float) -> float:
        self._refill(now)
        return 0.0 if self._left >= 1 else (1 - self._left) * self.seconds

    def _refill(self, now: float) -> None:
        if self._at:
            self._left = min(self.size, self._left + (now - self._at) / self.seconds)
        self._at = now

"""What a pure function gave lately: clients repeat themselves, and a flow is judged when asked and when answered.

One look into a dictionary, which `functools.lru_cache` is too, but bounded by the characters that are kept instead of
by the number of entries: a long header may take the place of a hundred short ones, and no client can fill the memory.
"""

from collections.abc import Callable, Hashable
from typing import Final

LARGEST: Final = 20 * 1024
"""Characters of the largest key that is kept: a body with its path."""
ENTRY: Final = 128
"""Characters that an entry counts for beside those of its key."""


class Recent[Key: Hashable, Value](dict[Key, Value]):
    """`recent[key]` is `make(key)`. Emptied when its keys have more than `room` characters, told by `size(key)`."""

    def __init__(self, make: Callable[[Key], Value], size: Callable[[Key], int], room: int) -> None:
        super().__init__()
        self._make, self._size, self._room = make, size, room
        self._largest = min(LARGEST, room)
        self._held = 0

    def __missing__(self, key: Key) -> Value:
        value = self._make(key)
        size = self._size(key) + ENTRY
        if size <= self._largest:
            if self._held + size > self._room:
                self.clear()
            self._held += size
            self[key] = value
        return value

    def clear(self) -> None:
        """Forget everything."""
        super().clear()
        self._held = 0


def both(pair: tuple[str, str] | tuple[str, bytes]) -> int:
    """Characters of a pair: of a header's name and value, of a path and a body."""
    return len(pair[0]) + len(pair[1])


def total(pairs: tuple[tuple[str, str], ...]) -> int:
    """Characters of a list of headers."""
    return sum(map(both, pairs))

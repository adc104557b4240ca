"""What a pure function gave for the headers that came lately: a client sends the same ones with every request.

One look into a dictionary replaces one for each header, and unlike `functools.lru_cache` this keeps nothing large.
"""

from collections.abc import Callable
from typing import Final

from classifier.records import Headers

ENTRIES: Final = 512
LARGEST: Final = 2048
"""Headers that are remembered, and their characters: a few MB at most, however hostile the clients."""


class Recent[Value](dict[Headers, Value]):
    """`recent[headers]` is `make(headers)`. Emptied when it is full."""

    def __init__(self, make: Callable[[Headers], Value]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, headers: Headers) -> Value:
        value = self._make(headers)
        if sum([len(name) + len(text) for name, text in headers]) <= LARGEST:
            if len(self) >= ENTRIES:
                self.clear()
            self[headers] = value
        return value

"""Verdicts that are remembered for a moment: what looks the same to the model is not scored twice.

A verdict follows from the features and the model alone, so the key is what the model would read, bit for bit: masked
text, phase and numbers. The policy is asked each time, of each client. A swap of the model empties the memory.
"""

import time
import weakref
from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256
from typing import Final, Literal

from classifier.artifact import Model
from classifier.features import Features
from classifier.records import Verdict
from classifier.scorer import Scorer

SECONDS: Final = 60.0
"""How long a verdict is remembered: a page is loaded again, a program asks again, an attacker tries again."""

Result = Literal["hit", "miss"]


class Verdicts:
    """The last `size` verdicts of one scorer, the least recently used goes first; about 2 KB each.

    `count` is told of each look. `clock` gives seconds.
    """

    def __init__(self, size: int, count: Callable[[Result], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._size, self._count, self._clock = size, count, clock
        self._kept: OrderedDict[bytes, tuple[float, Verdict]] = OrderedDict()
        self._model: Callable[[], Model | None] = _nobody
        """Whose verdicts they are. Held weakly: a model that was replaced is to go."""

    def __len__(self) -> int:
        return len(self._kept)

    async def verdict(self, scorer: Scorer, features: Features) -> Verdict:
        """As `scorer.verdict(features)`, bit for bit. Raises what that raises, which is not remembered."""
        if not self._size:
            return await scorer.verdict(features)
        model = scorer.model
        if self._model() is not model:
            self._kept.clear()
            self._model = weakref.ref(model)
        key = _key(features)
        until, verdict = self._kept.get(key, _NEVER)
        if verdict is not None and self._clock() < until:
            self._kept.move_to_end(key)
            self._count("hit")
            return verdict
        self._count("miss")
        verdict = await scorer.verdict(features)
        if self._model() is model:  # else it was swapped meanwhile
            self._keep(key, self._clock() + SECONDS, verdict)
        return verdict

    def _keep(self, key: bytes, until: float, verdict: Verdict) -> None:
        self._kept[key] = until, verdict
        self._kept.move_to_end(key)
        if len(self._kept) > self._size:
            self._kept.popitem(last=False)


_NEVER: Final[tuple[float, Verdict | None]] = (0.0, None)


def _key(features: Features) -> bytes:
    """A digest that nobody can find a second text for. The number of windows follows from the number of bytes."""
    digest = sha256(features.tokens, usedforsecurity=False)
    digest.update(features.numbers)
    return digest.digest()


def _nobody() -> None:
    return None

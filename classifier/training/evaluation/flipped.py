"""Flows that two releases would treat differently, the clearest ones, kept while a judgement goes by."""

import heapq
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from classifier.evaluate import Floats
from classifier.features import operating_key
from classifier.masking import mask
from classifier.records import FlowRecord
from classifier.thresholds import BLOCK_AT, FLAG_AT
from classifier.training.evaluation.compare import ACTIONS
from classifier.training.evaluation.measure import Example, System
from classifier.training.evaluation.sources import limit

SIZE: Final = 20
"""Flows that are shown."""


class Flipped(NamedTuple):
    """A masked flow with both threats and both actions."""

    source: str
    record: FlowRecord
    threats: tuple[float, float]
    actions: tuple[str, str]


class Flips:
    """Watches a judgement for the flows on which the first system's action is not the second's."""

    def __init__(self, first: System, second: System, size: int = SIZE) -> None:
        self.pair, self._size = (first, second), size
        self._kept: list[tuple[float, int, Flipped]] = []
        self._seen = 0

    def __call__(self, chunk: Sequence[Example], scores: Mapping[str, Floats]) -> None:
        """See `measure.Watcher`."""
        keys = [operating_key(each.record) for each in chunk]
        threats = [scores[system.name][:, 0] for system in self.pair]
        done = [_actions(system, keys, threat) for system, threat in zip(self.pair, threats, strict=True)]
        for place in np.flatnonzero(done[0] != done[1]).tolist():
            first, second = float(threats[0][place]), float(threats[1][place])
            if not np.isfinite(first - second):
                continue
            names = ACTIONS[done[0][place]], ACTIONS[done[1][place]]
            self._keep(abs(first - second), Flipped(chunk[place].source, chunk[place].record, (first, second), names))

    def flows(self) -> list[Flipped]:
        """The largest differences first."""
        found = [each for _, _, each in sorted(self._kept, key=lambda entry: entry[:2], reverse=True)]
        return [each._replace(record=mask(each.record)) for each in found]

    def _keep(self, difference: float, flow: Flipped) -> None:
        self._seen += 1
        entry = (difference, -self._seen, flow)  # the counter keeps flows from being compared
        if len(self._kept) < self._size:
            heapq.heappush(self._kept, entry)
        else:
            heapq.heappushpop(self._kept, entry)


def _actions(system: System, keys: Sequence[str], threat: Floats) -> np.ndarray:
    """Index into `ACTIONS` for each flow; a kind and phase without points is allowed."""
    flags, blocks = (np.asarray([limit(system.points, key, rate) for key in keys]) for rate in (FLAG_AT, BLOCK_AT))
    with np.errstate(invalid="ignore"):
        return np.where(threat >= blocks, 2, np.where(threat >= flags, 1, 0))

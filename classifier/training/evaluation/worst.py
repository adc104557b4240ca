"""The flows that a system gets most wrong, kept while a judgement goes by, each with what carried its score.

Half are harmless flows with the highest threat, half hostile ones with the lowest. No source may fill the list. Kept
is the masked flow: a report must hold no secret.
"""

import heapq
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from classifier.evaluate import Floats
from classifier.explain import Explanation, explain
from classifier.masking import mask
from classifier.records import HARMLESS, FlowRecord, Label
from classifier.training.evaluation.measure import Example
from classifier.training.evaluation.systems import Served

SIZE: Final = 50
"""Errors that are shown."""
OF_ONE: Final = 4
"""Errors of one source that are shown of a kind."""
_SPARE: Final = 40
"""Flows kept for each shown one, so that enough sources are among them."""


class Error(NamedTuple):
    """A flow that was judged wrong; `record` is masked."""

    source: str
    family: str
    record: FlowRecord
    threat: float
    explanation: Explanation | None = None

    @property
    def harmless(self) -> bool:
        """Whether the flow should have passed."""
        return self.record.label in HARMLESS


class Worst:
    """Watches a judgement for the errors of one system."""

    def __init__(self, system: Served, size: int = SIZE) -> None:
        self._system, self._size = system, size
        self._kept: dict[bool, list[tuple[float, int, Example]]] = {True: [], False: []}
        self._seen = 0

    def __call__(self, chunk: Sequence[Example], scores: Mapping[str, Floats]) -> None:
        """See `measure.Watcher`."""
        threat = scores[self._system.name][:, 0]
        labels = [each.record.label for each in chunk]
        harmless = np.asarray([label in (Label.BENIGN, Label.TRACKER) for label in labels], bool)
        hostile = np.asarray([label not in HARMLESS for label in labels], bool)
        for side, rows, wrong in ((True, harmless, threat), (False, hostile, 1 - threat)):
            places = np.flatnonzero(rows)
            for place in places[np.argsort(-wrong[places], kind="stable")][: self._size * _SPARE]:
                self._keep(side, float(wrong[place]), chunk[place])

    def _keep(self, side: bool, wrong: float, example: Example) -> None:
        heap = self._kept[side]
        self._seen += 1
        entry = (wrong, -self._seen, example)  # the counter keeps examples from being compared
        if len(heap) < self._size * _SPARE:
            heapq.heappush(heap, entry)
        else:
            heapq.heappushpop(heap, entry)

    def errors(self) -> list[Error]:
        """The worst of each side, harmless first, worst first, with explanations."""
        return [error for side in (True, False) for error in self._chosen(side)]

    def _chosen(self, side: bool) -> list[Error]:
        count: Counter[str] = Counter()
        seen: set[FlowRecord] = set()
        found: list[Error] = []
        for wrong, _, example in sorted(self._kept[side], key=lambda entry: entry[:2], reverse=True):
            record = mask(example.record)
            if len(found) == self._size // 2 or count[example.source] == OF_ONE or record in seen:
                continue
            count[example.source] += 1
            seen.add(record)
            threat = wrong if side else 1 - wrong
            explanation = explain(record, self._system.scorer)
            found.append(Error(example.source, example.family, record, threat, explanation))
        return found

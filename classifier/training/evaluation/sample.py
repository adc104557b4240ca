"""A sample of the flows of a judgement, the same number of each source, kept while they go by."""

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence

from classifier.evaluate import Floats
from classifier.records import HARMLESS
from classifier.training.evaluation.measure import Example


class Sample:
    """Watches a judgement and keeps up to `size` harmless and `size` hostile flows of each source (Vitter 1985)."""

    def __init__(self, size: int, seed: int = 0) -> None:
        self._size = size
        self._rng = random.Random(seed)
        self._kept: dict[tuple[str, str, bool], list[Example]] = defaultdict(list)
        self._seen: dict[tuple[str, str, bool], int] = defaultdict(int)

    def __call__(self, chunk: Sequence[Example], scores: Mapping[str, Floats]) -> None:
        """See `measure.Watcher`."""
        for example in chunk:
            cell = (example.source, example.family, example.record.label in HARMLESS)
            self._seen[cell] += 1
            if len(self._kept[cell]) < self._size:
                self._kept[cell].append(example)
            elif (place := self._rng.randrange(self._seen[cell])) < self._size:
                self._kept[cell][place] = example

    def examples(self, family: str = "") -> list[Example]:
        """What was kept, of one family or of all."""
        return [each for cell, kept in self._kept.items() if not family or cell[1] == family for each in kept]

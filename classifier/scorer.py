"""Features in, verdicts out: the hot path of every scored flow.

`score` judges one record inline (batching gains nothing on a CPU), `score_many` a list for offline work.
`swap` replaces the model by one reference assignment; each call reads that reference once, so a verdict
is always of the model it names, and the old model goes when the last call that uses it returns.

`verdict` is what the proxy's hooks await. Here it is ready at once; for a GPU `batching` puts a queue behind it.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from classifier.artifact import Floats, Model
from classifier.features import Features, stack
from classifier.records import HARMLESS, LABELS, Verdict

ROWS: Final = 64
"""Windows of one batch in `score_many`: enough to hide the cost of a call, few enough to stay in the cache."""
WASTE: Final = 1.25
"""A batch holds no record that padding would stretch by more than this."""

_HARMLESS: Final = [LABELS.index(label) for label in HARMLESS]


class BadScore(ValueError):
    """The model gave numbers that are not finite; no verdict can be had from them."""


class Late(Exception):
    """No verdict came within the deadline."""


class Overloaded(Exception):
    """Too many records wait for a verdict already."""


class Scorer:
    """Judges records with the model of the moment."""

    def __init__(self, model: Model) -> None:
        self._model = model

    @property
    def model(self) -> Model:
        """The model that judges now."""
        return self._model

    def swap(self, model: Model) -> Model:
        """Judge with `model` from the next call on; returns the one before."""
        old, self._model = self._model, model
        return old

    def prepare(self, model: Model) -> None:
        """Do what takes long before `swap`, in another thread than the event loop's. Raises ModelRefused."""

    def close(self) -> None:
        """Judge what waits, and end."""

    async def verdict(self, features: Features) -> Verdict:
        """As `score`, from wherever this scorer judges. Raises BadScore, Late, Overloaded."""
        return self.score(features)

    def hear(self, features: Features, told: Callable[[Verdict | Exception], None]) -> None:
        """Tell a verdict, or why there is none, to somebody who does not wait for it."""
        try:
            verdict = self.score(features)
        except Exception as error:
            told(error)
        else:
            told(verdict)

    def score(self, features: Features) -> Verdict:
        """Judge one record; of several windows the one with the highest threat speaks. Raises BadScore."""
        model = self._model
        probabilities, _ = _run(model, features)
        return speak(probabilities, model.release)

    def score_many(self, rows: Sequence[Features]) -> list[Verdict]:
        """Judge many records, in their order. Raises BadScore."""
        model = self._model
        verdicts: dict[int, Verdict] = {}
        for chunk in _chunks(rows):
            tokens, numbers, owner = stack([rows[index] for index in chunk])
            probabilities, _ = model.run(tokens, numbers)
            starts = np.flatnonzero(np.diff(owner, prepend=-1))[1:]
            for index, windows in zip(chunk, np.split(probabilities, starts), strict=True):
                verdicts[index] = speak(windows, model.release)
        return [verdicts[index] for index in range(len(rows))]

    def embed(self, features: Features) -> Floats:
        """The embedding, float32 [D], of the window that `score` would judge by. Raises BadScore."""
        probabilities, embedding = _run(self._model, features)
        row: Floats = embedding[_worst(probabilities)]
        if not (np.isfinite(row).all() and np.isfinite(probabilities).all()):
            raise BadScore("the embedding or a probability is not finite")
        return row


def speak(probabilities: Floats, release: str) -> Verdict:
    """The verdict of the window with the highest threat, probabilities [W, labels]. Raises BadScore."""
    return _verdict(probabilities[_worst(probabilities)], release)


def _run(model: Model, features: Features) -> tuple[Floats, Floats]:
    tokens, numbers = features
    windows = len(tokens)
    return model.run(tokens, numbers[None] if windows == 1 else np.repeat(numbers[None], windows, 0))


def _worst(probabilities: Floats) -> int:
    """Index of the window with the highest threat, probabilities [W, labels]."""
    if len(probabilities) == 1:
        return 0
    if not math.isfinite(probabilities.sum()):  # a NaN in a window that is not chosen must not be lost
        raise BadScore("a probability is not finite")
    return int(probabilities[:, _HARMLESS].sum(axis=1).argmin())


def _verdict(row: npt.NDArray[np.float32], release: str) -> Verdict:
    """One window's probabilities [labels] as a verdict. Plain floats: numpy scalars are slow and not JSON."""
    values = row.tolist()
    if not math.isfinite(sum(values)):
        raise BadScore("a probability is not finite")
    harmless = sum([values[index] for index in _HARMLESS])
    label = LABELS[values.index(max(values))]
    return Verdict(label, max(0.0, 1.0 - harmless), dict(zip(LABELS, values, strict=True)), release)


def _chunks(rows: Sequence[Features]) -> Iterator[list[int]]:
    """Indices of `rows` in batches of similar length, shortest first."""
    lengths = [row.tokens.shape[1] for row in rows]
    chunk: list[int] = []
    windows = 0
    for index in sorted(range(len(rows)), key=lengths.__getitem__):
        count = len(rows[index].tokens)
        if chunk and (windows + count > ROWS or lengths[index] > WASTE * lengths[chunk[0]]):
            yield chunk
            chunk, windows = [], 0
        chunk.append(index)
        windows += count
    if chunk:
        yield chunk

"""Rows as arrays in memory, and the batches cut from them.

A row keeps one window: the first for attacks (a request lays out path, query and body first), any for the
rest, so that the model also sees what the middle of a long harmless body looks like. Tokens lie end to end
in one array: a million rows of traffic are about half a gigabyte.
"""

import os
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import batched
from multiprocessing import get_context
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from classifier.features import BLOCK, NUMBERS, Features, extract
from classifier.records import HARMLESS, LABELS, FlowRecord, Label
from classifier.training.corpus import Row
from classifier.training.fit import Batch

_PLACE: Final = {label: index for index, label in enumerate(LABELS)}
_CHUNK: Final = 2_000

Kept = tuple[npt.NDArray[np.uint16], npt.NDArray[np.float32]]
"""One row's tokens without padding, and its numbers."""


class Arrays(NamedTuple):
    """N rows."""

    tokens: npt.NDArray[np.uint16]
    """All rows' tokens, end to end, without padding."""
    ends: npt.NDArray[np.int64]
    """[N + 1]: row i is tokens[ends[i] : ends[i + 1]]."""
    numbers: npt.NDArray[np.float32]
    """[N, F]."""
    allowed: npt.NDArray[np.bool_]
    """[N, labels]."""
    weight: npt.NDArray[np.float32]
    """[N]."""
    validation: npt.NDArray[np.bool_]
    """[N]."""

    def __len__(self) -> int:
        return len(self.weight)


def build(rows: Iterable[Row], *, workers: int | None = None, progress: Callable[[int], None] | None = None) -> Arrays:
    """Extract the features of `rows` (in `workers` processes; 0 = in this one) and lay them out.

    `progress` is called with the number of rows done.
    """
    tokens: list[npt.NDArray[np.uint16]] = []
    numbers: list[npt.NDArray[np.float32]] = []
    allowed: list[npt.NDArray[np.bool_]] = []
    weight: list[float] = []
    validation: list[bool] = []
    for row, (kept, values) in _extracted(rows, os.cpu_count() or 1 if workers is None else workers):
        tokens.append(kept)
        numbers.append(values)
        allowed.append(mask_of(row.labels))
        weight.append(row.weight)
        validation.append(row.part == "val")
        if progress and len(weight) % _CHUNK == 0:
            progress(len(weight))
    return Arrays(
        np.concatenate(tokens) if tokens else np.zeros(0, np.uint16),
        np.cumsum([0, *map(len, tokens)], dtype=np.int64),
        np.stack(numbers) if numbers else np.zeros((0, len(NUMBERS)), np.float32),
        np.stack(allowed) if allowed else np.zeros((0, len(LABELS)), np.bool_),
        np.asarray(weight, np.float32),
        np.asarray(validation, np.bool_),
    )


def mask_of(labels: Iterable[Label]) -> npt.NDArray[np.bool_]:
    """bool [labels]: which outputs a row may have."""
    mask = np.zeros(len(LABELS), np.bool_)
    mask[[_PLACE[label] for label in labels]] = True
    return mask


def batch_of(arrays: Arrays, indices: npt.NDArray[np.int64]) -> Batch:
    """The rows at `indices` as one padded batch."""
    lengths = arrays.ends[indices + 1] - arrays.ends[indices]
    width = max(BLOCK, int(-(-lengths.max() // BLOCK) * BLOCK))
    tokens = np.zeros((len(indices), width), np.int32)
    for place, index in enumerate(indices):
        row = arrays.tokens[arrays.ends[index] : arrays.ends[index + 1]]
        tokens[place, : len(row)] = row
    return Batch(
        torch.from_numpy(tokens),
        torch.from_numpy(arrays.numbers[indices]),
        torch.from_numpy(arrays.allowed[indices]),
        torch.from_numpy(arrays.weight[indices]),
    )


class Shuffle:
    """Batches of rows of like length, in a new order each epoch; `shuffle(step)` is the batch of that step.

    Rows are shuffled, sorted by length within pools of 32 batches and the batches of a pool shuffled again:
    little padding, and a batch still mixes sources.
    """

    def __init__(self, arrays: Arrays, indices: npt.NDArray[np.int64], size: int, seed: int) -> None:
        self._arrays, self._indices, self._size, self._seed = arrays, indices, size, seed
        self._epoch, self._plan = -1, [indices]
        self.per_epoch = max(1, len(indices) // size)

    def __call__(self, step: int) -> Batch:
        """The batch of `step`, counted from 0 over all epochs."""
        epoch, place = divmod(step, self.per_epoch)
        if epoch != self._epoch:
            self._epoch, self._plan = epoch, self._order(epoch)
        return batch_of(self._arrays, self._plan[place])

    def _order(self, epoch: int) -> list[npt.NDArray[np.int64]]:
        rng = np.random.default_rng((self._seed, epoch))
        order = rng.permutation(self._indices)[: self.per_epoch * self._size]
        if not len(order):
            return [self._indices]
        lengths = np.diff(self._arrays.ends)
        plan: list[npt.NDArray[np.int64]] = []
        for start in range(0, len(order), 32 * self._size):
            pool = order[start : start + 32 * self._size]
            pool = pool[np.argsort(lengths[pool], kind="stable")]
            plan += np.split(pool, range(self._size, len(pool), self._size))
        return [plan[index] for index in rng.permutation(len(plan))]


def _extracted(rows: Iterable[Row], workers: int) -> Iterator[tuple[Row, Kept]]:
    if workers < 2:
        for chunk in batched(rows, _CHUNK):
            yield from zip(chunk, _chunk(_asked(chunk)), strict=True)
        return
    waiting: deque[tuple[tuple[Row, ...], Future[list[Kept]]]] = deque()
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:  # forking a process with threads may hang
        for chunk in batched(rows, _CHUNK):
            waiting.append((chunk, pool.submit(_chunk, _asked(chunk))))
            if len(waiting) > 2 * workers:  # rows are made here while the workers extract; few wait in memory
                yield from _finished(waiting)
        while waiting:
            yield from _finished(waiting)


def _finished(waiting: "deque[tuple[tuple[Row, ...], Future[list[Kept]]]]") -> Iterator[tuple[Row, Kept]]:
    chunk, future = waiting.popleft()
    return zip(chunk, future.result(), strict=True)


def _asked(chunk: tuple[Row, ...]) -> list[tuple[FlowRecord, bool]]:
    """What a worker needs of each row: the record, and whether any of its windows may be kept."""
    return [(row.record, set(row.labels) <= set(HARMLESS)) for row in chunk]


def _chunk(asked: list[tuple[FlowRecord, bool]]) -> list[Kept]:
    return [_kept(extract(record), anywhere) for record, anywhere in asked]


def _kept(features: Features, anywhere: bool) -> Kept:
    windows = features.tokens
    chosen = zlib.crc32(windows[0].tobytes()) % len(windows) if anywhere else 0
    row = windows[chosen]
    return row[: np.count_nonzero(row)].astype(np.uint16), features.numbers

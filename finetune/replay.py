"""Batches that are half site and half base, so that what the base knows is practised while the site is learned.

Replay keeps base quality where every other cheap method lets it go (Rolnick et al. 2019, arXiv:1811.11682). Base
rows are the corpora's where they are at hand, else the shipped synthetic traffic.
"""

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import torch

from classifier.features import BLOCK, Features, Tokens, extract
from classifier.records import HARMLESS, FlowRecord, Label
from classifier.training.arrays import mask_of
from classifier.training.corpus import Row, rows
from classifier.training.data import training_rows
from classifier.training.fit import Batch

SIZE: Final = 64
"""Rows of a batch."""
PRACTISED, ASKED, CORPUS = 3000, 4000, 8_000
"""Synthetic rows to practise and to judge by; corpus rows to practise."""
EACH: Final = 1300
"""Corpus rows of a label to judge by: half of them set thresholds, and a verdict of its own takes 600."""
LENDERS: Final = 3000
"""Training rows that lend hosts and headers to the rows that judge."""
_OTHER: Final = 7919
"""Seed offset of the synthetic rows that judge: another stream of the same grammars."""


class Lesson(NamedTuple):
    """One row to learn: features, the labels it may have, its weight."""

    features: Features
    labels: tuple[Label, ...]
    weight: float


class Pool(NamedTuple):
    """Site lessons and the share of the site's half of each batch that is drawn from them."""

    lessons: Sequence[Lesson]
    share: float


class Mixer:
    """The batch of each step: half from the site's pools by their shares, half from the base.

    The same seed and step give the same batch. Empty pools leave their share to the others of the site.
    """

    def __init__(self, site: Sequence[Pool], base: Sequence[Lesson], *, seed: int, size: int = SIZE) -> None:
        pools = [pool for pool in site if pool.lessons]
        total = sum(pool.share for pool in pools)
        half = size // 2 if base else size
        edges = [0, *(round(half * share / total) for share in accumulate(pool.share for pool in pools))]
        self._draws = [(pool.lessons, end - start) for pool, (start, end) in zip(pools, pairwise(edges), strict=True)]
        self._draws.append((base, size - half))
        self._seed = seed

    def __call__(self, step: int) -> Batch:
        """The batch of a step: one window of each lesson drawn."""
        rng = np.random.default_rng((self._seed, step))
        drawn: list[Lesson] = []
        for lessons, count in self._draws:
            drawn += [lessons[i] for i in rng.integers(0, max(1, len(lessons)), count)]
        return batch(drawn, rng)


def batch(lessons: Sequence[Lesson], rng: np.random.Generator) -> Batch:
    """Lessons as tensors; of a lesson with several windows one is drawn."""
    windows = [_window(lesson.features, rng) for lesson in lessons]
    tokens = np.zeros((len(windows), max(map(len, windows))), np.int32)
    for row, window in enumerate(windows):
        tokens[row, : len(window)] = window
    return Batch(
        torch.from_numpy(tokens),
        torch.from_numpy(np.stack([lesson.features.numbers for lesson in lessons])),
        torch.from_numpy(np.stack([mask_of(lesson.labels) for lesson in lessons])),
        torch.tensor([lesson.weight for lesson in lessons], dtype=torch.float32),
    )


def base_rows(corpus: Path | None, seed: int) -> tuple[list[Row], list[Row]]:
    """Base rows to practise and base rows to judge by, which are of groups and sources that no base model learned from.

    Raises UserError when the corpus is incomplete.
    """
    if corpus is None:
        return list(training_rows(None, seed, PRACTISED)), list(training_rows(None, seed + _OTHER, ASKED))
    sides: dict[str, list[Row]] = {"train": [], "val": [], "holdout": []}
    for row in rows(corpus):
        sides[row.part].append(row)
    rng = random.Random(f"base {seed}")
    lent = rng.sample(sides["train"], min(LENDERS, len(sides["train"])))
    asked = [*_evenly(sides["val"], rng), *lent]
    return (
        [row for row in training_rows(corpus, seed, CORPUS, known=sides["train"]) if row.part == "train"],
        [row for row in training_rows(corpus, seed + _OTHER, known=asked) if row.part == "val"],
    )


def _evenly(found: list[Row], rng: random.Random) -> list[Row]:
    """At most `EACH` rows of a label, three times as many that are benign."""
    counts: Counter[Label] = Counter()
    kept = []
    for row in rng.sample(found, len(found)):
        label = row.labels[0]
        counts[label] += 1
        if counts[label] <= EACH * (3 if label == Label.BENIGN else 1):
            kept.append(row)
    return kept


def lessons(found: Iterable[tuple[FlowRecord, tuple[Label, ...], float]]) -> list[Lesson]:
    """Records with the labels they may have and their weights, as lessons (see `lesson`)."""
    return [lesson(extract(record), labels, weight) for record, labels, weight in found]


def lesson(features: Features, labels: tuple[Label, ...], weight: float) -> Lesson:
    """A lesson. Of a hostile row only the first window is hostile for sure: path, query and body come first."""
    tokens = features.tokens if set(labels) <= set(HARMLESS) else features.tokens[:1]
    return Lesson(Features(tokens, features.numbers), labels, weight)


def _window(features: Features, rng: np.random.Generator) -> Tokens:
    index = int(rng.integers(len(features.tokens))) if len(features.tokens) > 1 else 0
    window: Tokens = features.tokens[index]
    end = int(np.flatnonzero(window)[-1]) + 1 if window.any() else 1
    return window[: -(-end // BLOCK) * BLOCK]

"""One strategy with so many labels and one seed, made and judged: a row of the result.

Everything is judged as it would be served, through the exported file; an attempt shares with the others of its site,
number of labels and seed what is learned from (`Lot`).
"""

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import numpy as np

from classifier.artifact import Model
from classifier.evaluate import Floats, Interval, Ints
from classifier.records import HARMLESS
from classifier.registry import MODEL
from classifier.training.export import export
from classifier.training.network import Network
from classifier.training.train import golden_rows
from finetune import exam, transfer
from finetune.candidate import Material, make
from finetune.comparison.controls import regression
from finetune.comparison.ground import Ground
from finetune.comparison.rows import INCUMBENT, NGRAMS, Row, bounds, plain
from finetune.comparison.task import Task, grown, labelled, learned
from finetune.dataset import Example
from finetune.exam import Exam
from finetune.judging import Judge, Paper
from finetune.pipeline import LEARNED
from finetune.replay import lessons
from finetune.site import paper
from finetune.strategies.recipes import recipe
from finetune.transfer import Seen
from finetune.transplant import Grafted

TIMED, ROUNDS = 40, 3
"""Records on which an n-gram regression is timed, and how often."""


class Clock:
    """Runs from when it is made."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.monotonic(), time.process_time()

    def now(self) -> tuple[float, float]:
        """Wall and computing seconds since the start."""
        return time.monotonic() - self._wall, time.process_time() - self._cpu


@dataclass(frozen=True)
class Lot:
    """What is learned from with so many labels and one seed. `exam` asks about the labelled flows."""

    task: Task
    labels: int
    seed: int
    used: int
    hostile: int
    train: list[Example]
    grafts: list[Grafted]
    material: Material
    exam: Exam
    cost: tuple[float, float]
    """Wall and computing seconds that it took."""

    @classmethod
    def draw(cls, ground: Ground, task: Task, labels: int, seed: int) -> Self:
        """The lot."""
        clock = Clock()
        words = labelled(task, labels, seed)
        train = learned(task, words)
        grafts = grown(train, seed, LEARNED)
        material = Material(
            train,
            hostile=lessons((graft.record, (graft.label,), 1.0) for graft in grafts if graft.label not in HARMLESS),
            disguised=lessons((graft.record, HARMLESS, 1.0) for graft in grafts if graft.label in HARMLESS),
            base=ground.lessons,
            fisher=ground.fisher,
        )
        asked = ground.exam._replace(taught=paper(row for row in train if not row.weak))
        hostile = sum(word.label not in HARMLESS for word in words.values())
        return cls(task, labels, seed, len(words), hostile, train, grafts, material, asked, clock.now())


@dataclass(frozen=True)
class Made:
    """What an attempt made. `opinion` gives threats [N] of a paper's rows and what the deployed points make of them
    (None where there are no points).
    """

    opinion: Callable[[Paper], tuple[Floats, Ints | None]]
    moved: int
    latency: float
    cost: tuple[float, float]


def attempt(ground: Ground, lot: Lot, strategy: str) -> Row:
    """A strategy or a control by its name. Raises UserError when there is nothing that it could learn from."""
    if strategy == INCUMBENT:
        made = Made(lambda rows: _opinion(ground.incumbent, rows), 0, 1.0, (0.0, 0.0))
    elif strategy == NGRAMS:
        made = _ngrams(ground, lot)
    else:
        made = _tuned(ground, lot, strategy)
    return _judged(ground, lot, strategy, made)


def _ngrams(ground: Ground, lot: Lot) -> Made:
    clock = Clock()
    fitted = regression(lot.train, lot.grafts, ground.practice)
    cost = _sum(clock.now(), lot.cost)
    held = lot.task.held
    latency = _pace(fitted.score, held.records) / _pace(Judge(ground.model).verdicts, held.features)
    return Made(lambda rows: (fitted.score(rows.records)[:, 0], None), fitted.size, latency, cost)


def _tuned(ground: Ground, lot: Lot, strategy: str) -> Made:
    clock = Clock()
    with TemporaryDirectory(prefix="sluice-") as scratch:
        served = _Server(ground, lot, Path(scratch))
        network, reports = make(ground.network, recipe(strategy), lot.material, served.mended, lot.seed)
        judge, model = served.serve(network)
    cost = _sum(clock.now(), lot.cost)
    latency = exam.race(ground.model, model, lot.task.held.features).value
    moved = max(report.parameters_moved for report in reports)
    return Made(lambda rows: _opinion(judge, rows), moved, latency, cost)


class _Server:
    """Networks as they would be served: exported, with the incumbent's operating points carried over."""

    def __init__(self, ground: Ground, lot: Lot, folder: Path) -> None:
        self._ground, self._lot, self._path = ground, lot, folder / MODEL

    def serve(self, network: Network) -> tuple[Judge, Model]:
        export(network, self._path, self._ground.model.card, golden_rows())
        model = Model.load(self._path, "cpu")
        points = exam.calibrated(self._lot.exam, self._ground.incumbent, Judge(model))
        return Judge(model, points), model

    def mended(self, network: Network) -> bool:
        return exam.mended(self._lot.exam, self._ground.incumbent, self.serve(network)[0])


def _judged(ground: Ground, lot: Lot, strategy: str, made: Made) -> Row:
    held, base = lot.task.held, ground.exam.base
    before = _seen(held, _opinion(ground.incumbent, held)[0])
    after = _seen(held, made.opinion(held)[0])
    gained = transfer.gain(before, after)
    scores, ranks = made.opinion(base)
    known, points = _opinion(ground.incumbent, base)
    kept = transfer.gain(_seen(base, known), _seen(base, scores))
    return Row(
        site=lot.task.info.site,
        strategy=strategy,
        labels=lot.labels,
        seed=lot.seed,
        labels_used=lot.used,
        labels_hostile=lot.hostile,
        site_auroc=plain(transfer.quality(after)),
        **bounds("site_fpr_at_tpr", transfer.false_positives(after)),
        **bounds("site_gain", gained),
        transfer=transfer.verdict(gained),
        forward_transfer=plain(transfer.forward(transfer.quality(before))),
        backward_transfer=plain(kept.value),
        **bounds("base_auroc_drop", _negative(kept)),
        **_deployed(base, points, ranks),
        seconds=round(made.cost[0], 3),
        cpu_seconds=round(made.cost[1], 3),
        parameters_moved=made.moved,
        latency=round(made.latency, 3),
    )


def _deployed(base: Paper, before: Ints, after: Ints | None) -> dict[str, float | None]:
    """Losses on base rows at the deployed flag point; nothing for what has no points."""
    if after is None:
        return {}
    hostile, groups = base.hostile, np.array(base.groups)
    found = transfer.lost(before[hostile] > 0, after[hostile] > 0, groups[hostile])
    alarms = (after[~hostile] > 0).mean() - (before[~hostile] > 0).mean()
    return {**bounds("base_detection_drop", found), "base_alarms_rise": plain(alarms)}


def _opinion(judge: Judge, rows: Paper) -> tuple[Floats, Ints]:
    return judge.opinion(rows.records, rows.features)


def _seen(rows: Paper, score: Floats) -> Seen:
    return Seen(rows.hostile, score, np.array(rows.groups))


def _negative(interval: Interval) -> Interval:
    return Interval(-interval.value, -interval.high, -interval.low)


def _sum(one: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    return one[0] + other[0], one[1] + other[1]


def _pace(score: Callable[[list[Any]], object], rows: Sequence[Any]) -> float:
    """Computing seconds of a row judged alone, the quickest of a few rounds."""
    chosen = list(itertools.islice(itertools.cycle(rows), TIMED))
    rounds = []
    for _ in range(ROUNDS):
        begun = time.thread_time()
        for row in chosen:
            score([row])
        rounds.append(time.thread_time() - begun)
    return min(rounds) / len(chosen)

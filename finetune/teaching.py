"""What the network is taught: the site's lessons and the base's, in which stages, until the reports come out right."""

import os
from collections.abc import Sequence
from typing import Final

import torch

from classifier.records import HARMLESS
from classifier.training.corpus import Row
from classifier.training.fit import FitReport, Penalty, fit
from classifier.training.network import Network
from classifier.training.progress import Bar
from finetune.dataset import Example
from finetune.replay import Lesson, Mixer, Pool, lesson, lessons
from finetune.trainable import Stage
from finetune.transplant import Grafted

LABELLED, ATTACKED, DISGUISED, WEAK = 0.3, 0.4, 0.15, 0.15
"""Shares of the site's half of a batch: labelled flows, hostile and harmless grafts, captures.

Three labels are as loud as three thousand captures, and there are attacks enough to keep the site's scores in place.
"""
STEPS: Final = 240
ANCHOR: Final = 30.0
"""Strength of the pull back to the incumbent's weights: it keeps what neither the site nor the replay practises."""
RELAXED: Final = 5.0
"""How much weaker the pull is in each further round: a report that stays wrong needs a longer way."""
ROUNDS: Final = 3
"""Calls of the last stage at most: it is repeated while reports still come out wrong."""


def share_cores() -> None:
    """Train on half of the cores: the proxy needs the others.

    Measured on 2 cores that were busy otherwise: a step took 20 times longer on two threads than on one, because
    threads that wait for each other spin.
    """
    torch.set_num_threads(max(1, len(os.sched_getaffinity(0)) // 2))


def mixer(train: Sequence[Example], grafts: Sequence[Grafted], base: Sequence[Row], seed: int) -> Mixer:
    """Batches for a site. A weakly benign row may keep whichever harmless label the incumbent gives it."""
    labelled = [lesson(row.features, (row.label,), row.weight) for row in train if not row.weak]
    weak = [lesson(row.features, HARMLESS, row.weight) for row in train if row.weak]
    hostile = lessons((graft.record, (graft.label,), 1.0) for graft in grafts if graft.label not in HARMLESS)
    harmless = lessons((graft.record, HARMLESS, 1.0) for graft in grafts if graft.label in HARMLESS)
    pools = [
        Pool(_nonzero(labelled), LABELLED),
        Pool(hostile, ATTACKED),
        Pool(harmless, DISGUISED),
        Pool(_nonzero(weak), WEAK),
    ]
    return Mixer(pools, lessons((row.record, row.labels, row.weight) for row in base), seed=seed)


def teach(network: Network, stage: Stage, batches: Mixer, anchor: Penalty, seed: int, title: str) -> FitReport:
    """One stage, in place; `anchor` holds the weights near the incumbent's."""
    steps = max(1, round(STEPS * stage.share))
    with Bar(title, steps) as bar:
        return fit(network, stage.groups(network), batches, [anchor], steps=steps, seed=seed, progress=bar.at)


def _nonzero(rows: Sequence[Lesson]) -> list[Lesson]:
    return [row for row in rows if row.weight > 0]

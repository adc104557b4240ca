"""What the network is taught: the site's lessons and the base's, mixed in every batch, one stage at a time."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import torch

from classifier.errors import UserError
from classifier.records import HARMLESS, LABELS, Label
from classifier.training.fit import Batches, FitReport, Penalty, fit
from classifier.training.network import Network
from classifier.training.progress import Bar
from finetune import labels
from finetune.dataset import Example
from finetune.replay import Lesson, Mixer, Pool, lesson
from finetune.strategies.stages import Stage

LABELLED, ATTACKED, DISGUISED, WEAK = 0.3, 0.4, 0.15, 0.15
"""Shares of the site's half of a batch: labelled flows, hostile and harmless grafts, captures.

Three labels are as loud as three thousand captures, and there are attacks enough to keep the site's scores in place.
"""
STEPS: Final = 240
"""Of all stages together; a stage that is repeated takes its own again."""
EVERY: Final = 20
"""Steps between two checkpoints: some seconds of work."""


NO_ATTACKS: Final = (
    "there is no attack to learn from: no flow is an HTTP request that one could be put into, and nothing is replayed; "
    "use a strategy with replay, or label some threats"
)


def share_cores() -> None:
    """Train on half of the cores: the proxy needs the others.

    Measured on 2 cores that were busy otherwise: a step took 20 times longer on two threads than on one, because
    threads that wait for each other spin.
    """
    torch.set_num_threads(max(1, len(os.sched_getaffinity(0)) // 2))


def mixer(
    train: Sequence[Example],
    hostile: Sequence[Lesson],
    disguised: Sequence[Lesson],
    base: Sequence[Lesson],
    seed: int,
    *,
    unlabelled: bool = False,
) -> Mixer:
    """Batches for a site, half of `base` where there is one; `hostile` and `disguised` are grafts (see `pools`).

    Raises UserError when there is no attack to learn: what is taught harmless rows alone learns to let everything
    pass.
    """
    site = pools(train, hostile, disguised, unlabelled=unlabelled)
    if not any(_is_hostile(row) for rows in (*(pool.lessons for pool in site), base) for row in rows):
        raise UserError(NO_ATTACKS)
    return Mixer(site, base, seed=seed)


def pools(
    train: Sequence[Example], hostile: Sequence[Lesson], disguised: Sequence[Lesson], *, unlabelled: bool = False
) -> list[Pool]:
    """The site's lessons by their shares. A weakly benign row may keep any harmless label that the incumbent gives;
    if captures are `unlabelled`, one of which nothing but that is known may be anything.
    """
    return [
        Pool(site_lessons(row for row in train if not row.weak), LABELLED),
        Pool(hostile, ATTACKED),
        Pool(disguised, DISGUISED),
        Pool(site_lessons((row for row in train if row.weak), unlabelled=unlabelled), WEAK),
    ]


def site_lessons(rows: Iterable[Example], *, unlabelled: bool = False) -> list[Lesson]:
    """Examples as lessons; one without weight teaches nothing."""
    return [lesson(row.features, _allowed(row, unlabelled), row.weight) for row in rows if row.weight > 0]


def _allowed(row: Example, unlabelled: bool) -> tuple[Label, ...]:
    if unlabelled and row.origin == labels.WEAK:
        return LABELS
    return HARMLESS if row.weak and row.label == Label.BENIGN else (row.label,)


def teach(
    network: Network,
    stage: Stage,
    batches: Batches,
    penalties: Sequence[Penalty],
    seed: int,
    title: str,
    checkpoint: Path | None = None,
) -> FitReport:
    """One stage, in place; with `checkpoint` it can be interrupted."""
    steps = max(1, round(STEPS * stage.share))
    with Bar(title, steps) as bar:
        return fit(
            network,
            stage.groups(network),
            batches,
            [*penalties, *stage.penalties],
            steps=steps,
            seed=seed,
            checkpoint=checkpoint,
            every=EVERY,
            progress=bar.at,
        )


def _is_hostile(row: Lesson) -> bool:
    return not set(row.labels) & set(HARMLESS)

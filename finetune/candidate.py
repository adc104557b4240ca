"""How a candidate is made of the incumbent's network: grow, train in stages, again while reports come out wrong.

network + recipe + material ──▶ grow ──▶ stages ──▶ mended? ──▶ candidate
                                          ▲            │ no: the last stage again, held back less
                                          └────────────┘
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import torch

from classifier.training.fit import FitReport
from classifier.training.network import Network
from finetune.dataset import Example
from finetune.replay import Lesson
from finetune.strategies.recipes import Recipe, penalties
from finetune.teaching import mixer, teach

RELAXED: Final = 5.0
"""How much weaker the pull is in each further round: a report that stays wrong needs a longer way."""
ROUNDS: Final = 3
"""Calls of the last stage at most: it is repeated while reports still come out wrong."""


@dataclass(frozen=True)
class Material:
    """What is learned from. `hostile` and `disguised` are grafts into the site's requests, `base` is what the
    incumbent masters.
    """

    train: Sequence[Example]
    hostile: Sequence[Lesson]
    disguised: Sequence[Lesson]
    base: Sequence[Lesson]


def make(
    incumbent: Network, recipe: Recipe, material: Material, mended: Callable[[Network], bool], seed: int
) -> tuple[Network, list[FitReport]]:
    """A candidate and what each stage did; `incumbent` stays as it is.

    `mended` says whether what people reported comes out right under a network.
    """
    torch.manual_seed(seed)
    network = recipe.grow(incumbent)
    batches = mixer(material.train, material.hostile, material.disguised, _practised(recipe, material), seed)
    plan = recipe.plan(network, batches)
    reports: list[FitReport] = []
    for again in range(ROUNDS):
        held = penalties(recipe.parts, incumbent, RELAXED**again)
        for stage in plan if again == 0 else plan[-1:]:
            title = f"Training: {stage.name}{', again' if again else ''}"
            reports.append(teach(network, stage, batches, held, seed + again, title))
        if mended(network):
            break
    return network, reports


def _practised(recipe: Recipe, material: Material) -> Sequence[Lesson]:
    return material.base if "replay" in recipe.parts else ()

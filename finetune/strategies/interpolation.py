"""WiSE-FT (Wortsman et al. 2022, arXiv:2109.01903): weights between the incumbent's and the tuned ones, as far towards
the tuned ones as rows say that neither has learned from.

    site loss   of the site's newest training groups and of grafts, kept back from the training; the gates' own
    base loss   rows stay unseen; of base rows that were not practised

The rule: the best site loss among the weights whose base loss is at most `BASE_LOSS` above the incumbent's; the
smallest step among those that are as good.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import batched
from typing import Final, NamedTuple

import numpy as np
import torch

from classifier.training.fisher import steady
from classifier.training.fit import FitReport, loss_of
from classifier.training.network import Network, twin
from classifier.training.progress import Bar
from finetune.replay import SIZE, Lesson, Pool, batch

WEIGHTS: Final = tuple(i / 10 for i in range(11))
"""Of the tuned weights in the mixture: 0 is the incumbent, 1 the tuned network, each exactly."""
BASE_LOSS: Final = 0.01
"""In nats a row; on two validation sources and a made-up site the mixtures it allowed had lost at most 0.005 of the
base's area under the curve (docs/decisions.md).
"""
TIE: Final = 0.005
"""In nats a row."""
KEPT: Final = 5
"""Every so-manieth graft and base row is kept back."""
_MOST: Final = 400
"""Rows at most that say which loss a mixture has: each is asked once for every weight."""


@dataclass(frozen=True)
class Mixed(FitReport):
    """What was chosen: `weight` of the tuned weights. `loss` is of the site's rows that were kept back."""

    weight: float
    base_loss: float
    base_loss_before: float


class Step(NamedTuple):
    """A weight and its losses."""

    weight: float
    site: float
    base: float


def between(incumbent: Network, tuned: Network, weight: float) -> Network:
    """The network with (1 - weight) of the incumbent's weights and `weight` of the tuned ones."""
    start, end = incumbent.state_dict(), tuned.state_dict()
    mixture = twin(incumbent)
    mixture.load_state_dict({name: torch.lerp(start[name], end[name], weight) for name in start})
    return mixture.eval()


def parted(lessons: Sequence[Lesson]) -> tuple[list[Lesson], list[Lesson]]:
    """Lessons to learn from and lessons kept back; of too few none is kept back."""
    return [row for i, row in enumerate(lessons, 1) if i % KEPT], list(lessons[KEPT - 1 :: KEPT])


def mixed(
    incumbent: Network,
    tuned: Network,
    site: Sequence[Pool],
    base: Sequence[Lesson],
    mended: Callable[[Network], bool],
) -> tuple[Network, Mixed]:
    """The mixture by the rule above and what was chosen; `site` and `base` were kept back from the training.

    A mixture under which reports come out wrong is passed over for the next larger weight that may be taken.
    """
    begun = time.monotonic()
    base = base[:_MOST]
    steps = []
    with Bar("Mixing", len(WEIGHTS)) as bar:
        for weight in WEIGHTS:
            network = between(incumbent, tuned, weight)
            steps.append(Step(weight, _loss(network, site), _loss(network, [Pool(base, 1.0)])))
            bar.at(len(steps))
    wanted = preferred(steps)
    chosen = next((step for step in wanted if mended(between(incumbent, tuned, step.weight))), wanted[0])
    report = Mixed(0, chosen.site, time.monotonic() - begun, 0, chosen.weight, chosen.base, steps[0].base)
    return between(incumbent, tuned, chosen.weight), report


def preferred(steps: Sequence[Step]) -> list[Step]:
    """The step by the rule, then the larger ones that may be taken. The first of `steps` is the incumbent."""
    allowed = [step for step in steps if step.base <= steps[0].base + BASE_LOSS]
    best = min(step.site for step in allowed)
    first = min(step.weight for step in allowed if step.site <= best + TIE)
    return sorted(step for step in allowed if step.weight >= first)


def _loss(network: Network, pools: Sequence[Pool]) -> float:
    """Mean loss over the pools by their shares, as the batches weigh them; 0 where there is nothing."""
    full = [pool for pool in pools if pool.lessons]
    total = sum(pool.share for pool in full)
    return sum(pool.share / total * _mean(network, pool.lessons) for pool in full)


def _mean(network: Network, lessons: Sequence[Lesson]) -> float:
    rng, weight, total = np.random.default_rng(0), 0.0, 0.0
    with torch.no_grad(), steady(network):
        for chunk in batched(sorted(lessons, key=_length)[:: -(-len(lessons) // _MOST)], SIZE):
            rows = batch(chunk, rng)
            own = float(rows.weight.sum())
            total += own * float(loss_of(network(rows.tokens, rows.numbers)[0], rows))
            weight += own
    return total / weight if weight else 0.0


def _length(lesson: Lesson) -> int:
    return int(np.count_nonzero(lesson.features.tokens[0]))

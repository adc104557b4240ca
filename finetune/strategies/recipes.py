"""What a strategy's name stands for: the network it trains, its stages, and what holds it back."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from classifier.training.fisher import Fisher
from classifier.training.fit import Batches, Penalty
from classifier.training.network import Network, twin
from finetune.strategies import heads, probe, progressive, stages
from finetune.strategies.distillation import taught
from finetune.strategies.ewc import consolidated
from finetune.strategies.l2sp import anchored
from finetune.strategies.names import parse
from finetune.strategies.stages import Stage
from finetune.strategies.unlabelled import unlabelled

ANCHOR: Final = 30.0
"""Strength of the pull back to the incumbent's weights: it keeps what neither the site nor the replay practises."""
CONSOLIDATION: Final = 1e4
"""Strength of the same pull by the Fisher information: of the powers of ten from 100 the first that kept the loss of
base quality under 0.01 of area on each of two validation sources and a made-up site (docs/decisions.md).
"""
DISTILLATION: Final = 1.0
"""Strength of the pull back to the incumbent's answers, the paper's: with 4 the same sites gained less on all three and
the base forgot less on two.
"""


class Recipe(NamedTuple):
    """`grow` makes the network to train of the incumbent's, which it leaves as it is; `plan` says in which stages."""

    name: str
    grow: Callable[[Network], Network]
    plan: Callable[[Network, Batches], Sequence[Stage]]
    parts: frozenset[str]


def recipe(text: str) -> Recipe:
    """The recipe of `WAY[+PART…]`. Raises UserError for a name that is not known."""
    name = parse(text)
    grow, plan = _WAYS[name.way]
    return Recipe(name.text, grow, plan, name.parts)


def penalties(parts: frozenset[str], incumbent: Network, fisher: Fisher, ease: float) -> list[Penalty]:
    """What holds the training back, `ease` times more loosely than usual; `fisher` is for EWC alone."""
    known: dict[str, Callable[[], Penalty]] = {
        "l2-sp": lambda: anchored(incumbent, ANCHOR / ease),
        "ewc": lambda: consolidated(incumbent, fisher, CONSOLIDATION / ease),
        "lwf": lambda: taught(incumbent, DISTILLATION / ease),
        "pu": unlabelled,
    }
    return [build() for part, build in known.items() if part in parts]


def _fresh(network: Network) -> Network:
    """New weights under the incumbent's calibration, without what it has grown."""
    fresh = Network(replace(network.config, column=0, site_head=False))
    fresh.log_temperature.data.copy_(network.log_temperature)
    fresh.log_odds.data.copy_(network.log_odds)
    return fresh


def _fixed(plan: Sequence[Stage]) -> Callable[[Network, Batches], Sequence[Stage]]:
    return lambda _network, _batches: plan


_Way = tuple[Callable[[Network], Network], Callable[[Network, Batches], Sequence[Stage]]]
_WAYS: Final[dict[str, _Way]] = {
    "two-stage": (twin, _fixed(stages.TWO_STAGE)),
    "feature-based": (twin, _fixed(stages.FEATURE_BASED)),
    "full": (twin, _fixed(stages.FULL)),
    "gradual": (twin, _fixed(stages.GRADUAL)),
    "layers": (twin, probe.plan),
    "first-block": (twin, _fixed(stages.FIRST_BLOCK)),
    "last-block": (twin, _fixed(stages.LAST_BLOCK)),
    "progressive": (progressive.grow, _fixed(progressive.PLAN)),
    "site-head": (heads.grow, _fixed(heads.PLAN)),
    "from-scratch": (_fresh, _fixed(stages.FULL)),
}

"""What a strategy's name stands for: the network it trains, its stages, and what holds it back."""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from classifier.training.fit import Batches, Penalty
from classifier.training.network import Network
from finetune.strategies import stages
from finetune.strategies.l2sp import anchored
from finetune.strategies.names import parse
from finetune.strategies.stages import Stage

ANCHOR: Final = 30.0
"""Strength of the pull back to the incumbent's weights: it keeps what neither the site nor the replay practises."""


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


def penalties(parts: frozenset[str], incumbent: Network, ease: float) -> list[Penalty]:
    """What holds the training back, `ease` times more loosely than usual."""
    return [anchored(incumbent, ANCHOR / ease)] if "l2-sp" in parts else []


def _same(network: Network) -> Network:
    twin = Network(network.config)
    twin.load_state_dict(network.state_dict())
    return twin


def _fresh(network: Network) -> Network:
    """New weights under the incumbent's calibration."""
    fresh = Network(network.config)
    fresh.log_temperature.data.copy_(network.log_temperature)
    fresh.log_odds.data.copy_(network.log_odds)
    return fresh


def _fixed(plan: Sequence[Stage]) -> Callable[[Network, Batches], Sequence[Stage]]:
    return lambda _network, _batches: plan


_Way = tuple[Callable[[Network], Network], Callable[[Network, Batches], Sequence[Stage]]]
_WAYS: Final[dict[str, _Way]] = {
    "two-stage": (_same, _fixed(stages.TWO_STAGE)),
    "feature-based": (_same, _fixed(stages.FEATURE_BASED)),
    "full": (_same, _fixed(stages.FULL)),
    "gradual": (_same, _fixed(stages.GRADUAL)),
    "first-block": (_same, _fixed(stages.FIRST_BLOCK)),
    "last-block": (_same, _fixed(stages.LAST_BLOCK)),
    "from-scratch": (_fresh, _fixed(stages.FULL)),
}

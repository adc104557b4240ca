"""Which parameters move, and how fast: one function a strategy, as groups for the training loop.

    head ◀── body ◀── deep ◀── stem ◀── byte, segment, grams          rate * DECAY a level down

The levels near the input carry what every site shares, so they move least (discriminative rates, Howard & Ruder
2018, arXiv:1801.06146). The head is tried alone first: unfreezing under a random head distorts the features
(Kumar et al. 2022, arXiv:2202.10054).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from torch import Tensor, nn

from classifier.training.fit import Group, Penalty
from classifier.training.network import Network

DECAY: Final = 0.5
"""From one level to the next one towards the input."""
HEAD_RATE: Final = 2e-3
TOP_RATE: Final = 1e-3

LEVELS: Final = (("head",), ("body",), ("deep",), ("stem",), ("byte", "segment", "grams"))
"""Names of the network's parts from the output to the input. What is in none (temperatures) never moves."""


@dataclass(frozen=True)
class Stage:
    """One call of the training loop: what moves, and which share of the steps it gets."""

    name: str
    groups: Callable[[Network], list[Group]]
    share: float


def head(network: Network) -> list[Group]:
    """The last layer only."""
    return [Group(_parameters(network, LEVELS[0]), HEAD_RATE)]


def layered(network: Network) -> list[Group]:
    """Every level, slower towards the input."""
    return [Group(_parameters(network, names), TOP_RATE * DECAY**depth) for depth, names in enumerate(LEVELS)]


def uniform(network: Network) -> list[Group]:
    """Every level at one rate."""
    return [Group([p for names in LEVELS for p in _parameters(network, names)], TOP_RATE * DECAY)]


STRATEGIES: Final[dict[str, tuple[Stage, ...]]] = {
    "two-stage": (Stage("head", head, 0.25), Stage("layers", layered, 0.75)),
    "feature-based": (Stage("head", head, 1.0),),
    "full": (Stage("all", uniform, 1.0),),
}


def anchored(network: Network, strength: float) -> Penalty:
    """L2-SP (Li et al. 2018, arXiv:1802.01483): half `strength` times the squared distance from where it stands now."""
    start = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}

    def penalty(model: nn.Module) -> Tensor:
        parts = [(p - start[name]).square().sum() for name, p in model.named_parameters() if p.requires_grad]
        return 0.5 * strength * sum(parts[1:], parts[0])

    return penalty


def _parameters(network: Network, names: tuple[str, ...]) -> list[nn.Parameter]:
    return [p for name, p in network.named_parameters() if name.split(".")[0] in names]

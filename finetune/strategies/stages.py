"""Which parameters move, and how fast: groups for the training loop, one function a choice.

    head ◀── body ◀── deep ◀── stem ◀── byte, segment, grams          rate * DECAY a level down

The levels near the input carry what every site shares, so they move least (discriminative rates, Howard & Ruder
2018, arXiv:1801.06146). The head is tried alone first: unfreezing under a random head distorts the features
(Kumar et al. 2022, arXiv:2202.10054).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from torch import nn

from classifier.training.fit import Group, Penalty

DECAY: Final = 0.5
"""From one level to the next one towards the input."""
HEAD_RATE: Final = 2e-3
TOP_RATE: Final = 1e-3

LEVELS: Final = (("head", "site"), ("body", "column"), ("deep",), ("stem",), ("byte", "segment", "grams"))
"""Names of the network's parts from the output to the input. What is in none (temperatures) never moves.

What the network has grown for a site counts as part of the level it adds to.
"""


@dataclass(frozen=True)
class Stage:
    """One call of the training loop: what moves, which share of the steps it gets, and what only it must obey."""

    name: str
    groups: Callable[[nn.Module], list[Group]]
    share: float
    penalties: tuple[Penalty, ...] = ()


def head(network: nn.Module) -> list[Group]:
    """The last layer only."""
    return [Group(parameters(network, LEVELS[0]), HEAD_RATE)]


def layered(network: nn.Module) -> list[Group]:
    """Every level, slower towards the input."""
    return _descending(network, len(LEVELS))


def uniform(network: nn.Module) -> list[Group]:
    """Every level at one rate."""
    return [Group([p for names in LEVELS for p in parameters(network, names)], TOP_RATE * DECAY)]


def chosen(network: nn.Module, depths: Iterable[int]) -> list[Group]:
    """The levels at `depths` (0 is the head) and nothing else, all at the top rate."""
    return [Group(parameters(network, LEVELS[depth]), TOP_RATE) for depth in depths]


def parameters(network: nn.Module, names: tuple[str, ...]) -> list[nn.Parameter]:
    """The parameters of the parts `names`."""
    return [p for name, p in network.named_parameters() if name.split(".")[0] in names]


def _descending(network: nn.Module, depth: int) -> list[Group]:
    """The levels from the head down to `depth`, slower towards the input."""
    return [Group(parameters(network, names), TOP_RATE * DECAY**i) for i, names in enumerate(LEVELS[:depth])]


def _upper(depth: int) -> Callable[[nn.Module], list[Group]]:
    return lambda network: _descending(network, depth)


FEATURE_BASED: Final = (Stage("head", head, 1.0),)
FULL: Final = (Stage("all", uniform, 1.0),)
TWO_STAGE: Final = (Stage("head", head, 0.25), Stage("layers", layered, 0.75))
GRADUAL: Final = tuple(
    Stage(f"upper {depth}", _upper(depth), share)
    for depth, share in zip(range(1, 1 + len(LEVELS)), (0.15, 0.15, 0.15, 0.15, 0.4), strict=True)
)
"""Gradual unfreezing (Howard & Ruder 2018): one level more a stage, from the head down."""
FIRST_BLOCK: Final = (Stage("first block", lambda network: chosen(network, (4,)), 1.0),)
"""Surgical fine-tuning of the input (Lee et al. 2023, arXiv:2210.11466): for a shift in how things are written."""
LAST_BLOCK: Final = (Stage("last block", lambda network: chosen(network, (0, 1)), 1.0),)
"""The same of the output: for a shift in what things mean."""

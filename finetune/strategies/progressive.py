"""A progressive network: a narrow column learns the site beside the frozen base (Rusu et al. 2016, arXiv:1606.04671).

The base's weights stay as they are to the last bit. A network that has a column already goes on training that one:
columns do not pile up, and the cost of a record stays where it is.
"""

from typing import Final

from torch import nn

from classifier.training.fit import Group
from classifier.training.network import Network, twin
from finetune.strategies.stages import Stage, parameters

WIDTH: Final = 16
TABLE_RATE: Final = 1e-2
"""Of the n-gram table, of which a batch touches few rows: tried 3e-3, 1e-2 and 3e-2 on sources kept for validation."""
RATE: Final = 2e-3


def grow(network: Network) -> Network:
    """A copy with a column, the network's own where it has one."""
    return twin(network) if network.config.column else twin(network, column=WIDTH)


def column(network: nn.Module) -> list[Group]:
    """The column and nothing else."""
    table = network.get_parameter("column.grams")
    rest = [p for p in parameters(network, ("column",)) if p is not table]
    return [Group([table], TABLE_RATE), Group(rest, RATE)]


PLAN: Final = (Stage("column", column, 1.0),)

import pytest
import torch

from classifier.training.fit import Batch
from classifier.training.network import Config, Network
from finetune.strategies.l2sp import anchored

NOTHING = torch.zeros(0)
NO_BATCH = Batch(NOTHING, NOTHING, NOTHING, NOTHING)


def test_the_anchor_pulls_back_by_the_squared_distance_of_what_moves() -> None:
    torch.manual_seed(0)
    network = Network(Config(buckets=64, grams_dim=4, bytes_dim=4, stem=8, deep=8, hidden=8))
    penalty = anchored(network, 2.0)
    assert penalty(network, NO_BATCH, NOTHING).item() == 0.0
    with torch.no_grad():
        network.head.bias.add_(0.5)
        network.byte.add_(1.0)
    network.byte.requires_grad_(False)
    assert penalty(network, NO_BATCH, NOTHING).item() == pytest.approx(0.25 * network.head.bias.numel())

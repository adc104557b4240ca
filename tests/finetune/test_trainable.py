import pytest
import torch

from classifier.training.network import Config, Network
from finetune.trainable import DECAY, STRATEGIES, TOP_RATE, anchored, head, layered, uniform


@pytest.fixture
def network() -> Network:
    torch.manual_seed(0)
    return Network(Config(buckets=64, grams_dim=4, bytes_dim=4, stem=8, deep=8, hidden=8))


def test_feature_based_moves_the_head_only(network: Network) -> None:
    (group,) = head(network)
    assert {id(p) for p in group.parameters} == {id(p) for p in network.head.parameters()}


def test_everything_but_the_temperatures_moves_once(network: Network) -> None:
    free = {id(p) for p in network.parameters() if p.requires_grad}
    for groups in (layered(network), uniform(network)):
        moving = [id(p) for group in groups for p in group.parameters]
        assert len(moving) == len(set(moving))
        assert set(moving) == free


def test_rates_fall_towards_the_input(network: Network) -> None:
    rates = [group.rate for group in layered(network)]
    assert rates == [TOP_RATE * DECAY**depth for depth in range(5)]


def test_two_stages_start_with_the_head(network: Network) -> None:
    first, second = STRATEGIES["two-stage"]
    assert (first.name, second.name) == ("head", "layers")
    assert all(sum(stage.share for stage in stages) == 1.0 for stages in STRATEGIES.values())


def test_the_anchor_pulls_back_by_the_squared_distance(network: Network) -> None:
    penalty = anchored(network, 2.0)
    assert penalty(network).item() == 0.0
    with torch.no_grad():
        network.head.bias.add_(0.5)
    assert penalty(network).item() == pytest.approx(0.25 * network.head.bias.numel())

import pytest
import torch

from classifier.features import NUMBERS, SEGMENTS
from classifier.records import LABELS
from classifier.training.fit import Batch
from classifier.training.network import Config, Network
from finetune.strategies.probe import plan, relative
from finetune.strategies.stages import LEVELS, TOP_RATE, parameters


@pytest.fixture
def network() -> Network:
    torch.manual_seed(0)
    return Network(Config(buckets=64, grams_dim=4, bytes_dim=4, stem=8, deep=8, hidden=8)).eval()


def batch(step: int) -> Batch:
    generator = torch.Generator().manual_seed(step)
    tokens = torch.randint(256, len(SEGMENTS) * 256, (8, 64), generator=generator, dtype=torch.int32)
    allowed = torch.nn.functional.one_hot(torch.arange(8) % 2, len(LABELS)).bool()
    return Batch(tokens, torch.rand(8, len(NUMBERS), generator=generator), allowed, torch.ones(8))


def test_the_probe_leaves_the_network_alone(network: Network) -> None:
    before = {name: value.clone() for name, value in network.state_dict().items()}
    found = relative(network, batch)
    assert len(found) == len(LEVELS) and all(value > 0 for value in found)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not network.training and all(p.grad is None for p in network.parameters())


def test_a_gradient_counts_for_the_size_of_the_weights(network: Network) -> None:
    """Ten times the weights under the same function's layer norm: a tenth of the gradient, a hundredth of the pull."""
    before = relative(network, batch)
    with torch.no_grad():
        network.deep.weight.mul_(10.0)
    assert relative(network, batch)[2] < before[2]


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_levels_with_a_strong_gradient_move_and_the_name_says_which(network: Network, depth: int) -> None:
    """Small weights under a layer norm are pulled strongest for their size."""
    with torch.no_grad():
        for level in (1, 2, 3, 4):
            for parameter in parameters(network, LEVELS[level]):
                parameter.mul_(1e-3 if level == depth else 1.0)
    found = relative(network, batch)
    strongest = 1 + found[1:].index(max(found[1:]))
    (stage,) = plan(network, batch)
    names = stage.name.split()
    assert names[:2] == ["layers", "head"] and LEVELS[strongest][0] in names
    groups = stage.groups(network)
    assert len(groups) == len(names) - 1 and {group.rate for group in groups} == {TOP_RATE}


def test_the_same_batches_give_the_same_plan(network: Network) -> None:
    assert plan(network, batch)[0].name == plan(network, batch)[0].name

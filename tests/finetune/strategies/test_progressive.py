from dataclasses import replace

import pytest
import torch
from torch import Tensor

from classifier.features import NUMBERS, SEGMENTS
from classifier.records import LABELS
from classifier.training.fit import Batch, fit
from classifier.training.network import Config, Network, twin
from finetune.strategies.progressive import PLAN, WIDTH, grow

SMALL = Config(buckets=64, grams_dim=4, bytes_dim=4, stem=8, deep=8, hidden=8)


@pytest.fixture
def network() -> Network:
    torch.manual_seed(0)
    return Network(SMALL).eval()


def batch(step: int = 0) -> Batch:
    generator = torch.Generator().manual_seed(step)
    tokens = torch.randint(256, len(SEGMENTS) * 256, (8, 64), generator=generator, dtype=torch.int32)
    allowed = torch.nn.functional.one_hot(torch.arange(8) % 2, len(LABELS)).bool()
    return Batch(tokens, torch.rand(8, len(NUMBERS), generator=generator), allowed, torch.ones(8))


def said(network: Network) -> tuple[Tensor, Tensor]:
    with torch.no_grad():
        logits, embedding = network.eval()(*batch(99)[:2])
    return logits, embedding


def trained(network: Network, steps: int = 4) -> Network:
    grown = grow(network)
    for stage in PLAN:
        fit(grown, stage.groups(grown), batch, steps=steps)
    return grown


def test_a_new_column_says_nothing_yet(network: Network) -> None:
    grown = grow(network)
    assert grown.config == replace(SMALL, column=WIDTH)
    assert all(torch.equal(new, old) for new, old in zip(said(grown), said(network), strict=True))


def test_the_base_is_the_same_to_the_last_bit_after_training(network: Network) -> None:
    before = {name: value.clone() for name, value in network.state_dict().items()}
    after = trained(network).state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert all(name.startswith("column.") for name in after.keys() - before.keys())


def test_every_part_of_the_column_learns(network: Network) -> None:
    torch.manual_seed(1)
    fresh = grow(network)
    torch.manual_seed(1)
    grown = trained(network)
    assert not torch.equal(said(grown)[0], said(network)[0])
    still = [name for name, value in grown.named_parameters() if torch.equal(value, fresh.get_parameter(name))]
    assert not [name for name in still if name.startswith("column.")]


def test_the_embedding_stays_the_bases(network: Network) -> None:
    assert torch.equal(said(trained(network))[1], said(network)[1])


def test_padding_keeps_saying_nothing(network: Network) -> None:
    grown = trained(network)
    assert grown.column is not None and not grown.column.grams[0].any()


def test_a_column_that_is_there_goes_on_learning(network: Network) -> None:
    first = trained(network)
    again = grow(first)
    assert again.config == first.config
    assert torch.equal(said(again)[0], said(first)[0])
    assert not torch.equal(said(trained(first))[0], said(first)[0])


def test_a_twin_shares_nothing(network: Network) -> None:
    other = twin(network)
    with torch.no_grad():
        other.head.bias.add_(1.0)
    assert not torch.equal(other.head.bias, network.head.bias)

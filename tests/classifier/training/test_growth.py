"""Grown parts: blind to padding like the base, silent at the start, and read from what the base made."""

import pytest
import torch
from torch import Tensor

from classifier.features import NUMBERS, SEGMENTS
from classifier.training.growth import WIDE
from classifier.training.network import Config, Network, twin

SMALL = Config(buckets=512, grams_dim=4, bytes_dim=4, stem=8, deep=8, hidden=16)


@pytest.fixture
def network() -> Network:
    torch.manual_seed(0)
    grown = twin(Network(SMALL), column=4, site_head=True).eval()
    for name, parameter in grown.named_parameters():
        if name.startswith(("column", "site")):
            torch.nn.init.normal_(parameter, std=0.3)
    with torch.no_grad():
        assert grown.column is not None
        grown.column.grams[0] = 0.0
    return grown


def inputs(rows: int = 3, length: int = 64) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randint(256, len(SEGMENTS) * 256, (rows, length), generator=generator, dtype=torch.int32)
    return tokens, torch.rand(rows, len(NUMBERS), generator=generator)


@pytest.mark.parametrize("more", [32, 960])
def test_padding_changes_nothing(network: Network, more: int) -> None:
    tokens, numbers = inputs()
    padded = torch.nn.functional.pad(tokens, (0, more))
    assert torch.allclose(network(tokens, numbers)[0], network(padded, numbers)[0], atol=1e-4)


def test_one_look_up_serves_both_tables(network: Network) -> None:
    assert network.lookup().shape == (SMALL.buckets, SMALL.grams_dim + WIDE)
    reading = network.read(*inputs())
    assert reading.own.shape == (3, 64, WIDE) and reading.embedding.shape == (3, SMALL.hidden)
    assert network.read(*inputs())[1].equal(Network.read(_plain(network), *inputs())[1])


def test_grown_parts_add_to_the_bases_logits(network: Network) -> None:
    rows = inputs()
    reading = network.read(*rows)
    assert network.column is not None and network.site is not None
    added = network.column(reading) + network.site(reading.embedding)
    assert torch.allclose(network(*rows)[0], _plain(network)(*rows)[0] + added, atol=1e-5)


def test_a_temperature_covers_what_is_grown(network: Network) -> None:
    tokens, numbers = inputs(1)
    numbers.zero_()
    numbers[0, 0] = 1.0
    before = network(tokens, numbers)[0]
    with torch.no_grad():
        network.log_temperature[0] = torch.log(torch.tensor(2.0))
    assert torch.allclose(network(tokens, numbers)[0], before / 2, atol=1e-6)


def _plain(network: Network) -> Network:
    base = Network(SMALL).eval()
    base.load_state_dict(network.state_dict(), strict=False)
    return base

"""The network's promises: shapes, blindness to padding, and where its parts end."""

import pytest
import torch
from torch import Tensor

from classifier.features import NUMBERS, SEGMENTS
from classifier.records import HARMLESS, LABELS
from classifier.training.network import Config, Network

SMALL = Config(buckets=512, grams_dim=4, bytes_dim=4, stem=8, deep=8, hidden=16)


@pytest.fixture
def network() -> Network:
    torch.manual_seed(0)
    return Network(SMALL).eval()


def inputs(rows: int = 3, length: int = 64) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randint(256, len(SEGMENTS) * 256, (rows, length), generator=generator, dtype=torch.int32)
    return tokens, torch.rand(rows, len(NUMBERS), generator=generator)


def test_shapes(network: Network) -> None:
    logits, embedding = network(*inputs())
    assert logits.shape == (3, len(LABELS)) and embedding.shape == (3, SMALL.hidden)


@pytest.mark.parametrize("more", [32, 64, 960])
def test_padding_changes_nothing(network: Network, more: int) -> None:
    tokens, numbers = inputs()
    padded = torch.nn.functional.pad(tokens, (0, more))
    assert torch.allclose(network(tokens, numbers)[0], network(padded, numbers)[0], atol=1e-5)


def test_a_row_scores_the_same_alone_and_in_a_batch(network: Network) -> None:
    tokens, numbers = inputs()
    alone = torch.cat([network(tokens[i : i + 1], numbers[i : i + 1])[0] for i in range(3)])
    assert torch.allclose(network(tokens, numbers)[0], alone, atol=1e-5)


def buckets(network: Network, tokens: Tensor) -> Tensor:
    codes = network.get_buffer("codes")[tokens].transpose(1, 2)
    return network._buckets(codes, codes.clamp(max=1.0))


def test_case_is_folded_for_the_n_grams_only(network: Network) -> None:
    upper, lower = (
        torch.tensor([[3 * 256 + byte for byte in raw]], dtype=torch.int32) for raw in (b"SELECT", b"select")
    )
    assert torch.equal(buckets(network, upper), buckets(network, lower))
    assert not torch.equal(network.table()[upper], network.table()[lower])


def test_n_grams_mean_the_same_in_path_query_and_body_but_not_in_the_host(network: Network) -> None:
    path, query, body, host = (
        torch.tensor([[SEGMENTS.index(segment) * 256 + byte for byte in b"../../etc"]], dtype=torch.int32)
        for segment in ("path", "query", "body", "host")
    )
    assert torch.equal(buckets(network, path), buckets(network, query))
    assert torch.equal(buckets(network, path), buckets(network, body))
    assert not torch.equal(buckets(network, path), buckets(network, host))


def test_n_grams_rarely_share_a_bucket() -> None:
    """As many buckets are used as chance gives: 3,000 different words in 2^16 of them."""
    network = Network(Config())
    generator = torch.Generator().manual_seed(2)
    words = torch.unique(torch.randint(97, 123, (3000, 5), generator=generator), dim=0).int() + 4 * 256
    for row in range(3):
        used = buckets(network, words)[:, row, 2].unique()
        assert len(used) > 0.9 * len(words if row else words[:, 1:4].unique(dim=0))


def test_hashes_are_exact_in_float32(network: Network) -> None:
    largest = network.get_buffer("codes").max() * network.get_buffer("hash").sum(2).max()
    assert largest < 2**24 and network.get_buffer("codes").max() < 2**11


def test_rare_threats_are_told_after_training_and_not_during_it(network: Network) -> None:
    tokens, numbers = inputs(1)
    numbers[:, :9] = 0.0
    numbers[0, NUMBERS.index("kind_http")] = 1.0
    before = network(tokens, numbers)[0]
    with torch.no_grad():
        network.log_odds[NUMBERS.index("kind_http")] = -3.0
    harmless = [label in HARMLESS for label in LABELS]
    shift = network(tokens, numbers)[0] - before
    assert torch.allclose(shift, torch.where(torch.tensor(harmless), 0.0, -3.0), atol=1e-5)
    torch.manual_seed(0)
    during = network.train()(tokens, numbers)[0]
    network.log_odds.data.zero_()
    torch.manual_seed(0)
    assert torch.equal(network(tokens, numbers)[0], during)


def test_a_temperature_scales_only_its_kind(network: Network) -> None:
    tokens, numbers = inputs(2)
    numbers[:, :9] = 0.0
    numbers[0, NUMBERS.index("kind_http")] = numbers[1, NUMBERS.index("kind_tls")] = 1.0
    before = network(tokens, numbers)[0]
    with torch.no_grad():
        network.log_temperature[NUMBERS.index("kind_tls")] = torch.log(torch.tensor(2.0))
    after = network(tokens, numbers)[0]
    assert torch.allclose(after[0], before[0]) and torch.allclose(after[1], before[1] / 2, atol=1e-6)

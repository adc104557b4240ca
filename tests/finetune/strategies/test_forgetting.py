"""A small network that learned two things is taught harmless site traffic alone: what each protection saves.

Plain training learns that all is harmless. The margins are wide: at most 0.6 of the harm may be left.
"""

from collections.abc import Callable

import pytest
import torch

from classifier.features import NUMBERS
from classifier.records import LABELS
from classifier.training.fisher import information
from classifier.training.fit import Batch, Group, fit, loss_of
from classifier.training.network import Config, Network, twin
from finetune.strategies.interpolation import between
from finetune.strategies.recipes import penalties
from finetune.strategies.stages import uniform

SMALL = Config(buckets=256, grams_dim=4, bytes_dim=4, stem=8, deep=8, hidden=16, dropout=0.0)
STEPS = 60
BENIGN, SQLI = 0, 4


def rows(step: int, *kinds: tuple[str, int]) -> Batch:
    """32 rows of 16 bytes, drawn from a text's bytes; (text, label) in turn."""
    draw = torch.Generator().manual_seed(step)
    texts = [torch.tensor(list(text.encode())) for text, _ in kinds]
    tokens = torch.zeros(32, 32, dtype=torch.int32)
    allowed = torch.zeros(32, len(LABELS), dtype=torch.bool)
    for row in range(32):
        text = texts[row % len(kinds)]
        tokens[row, :16] = 4 * 256 + text[torch.randint(len(text), (16,), generator=draw)]
        allowed[row, kinds[row % len(kinds)][1]] = True
    return Batch(tokens, torch.zeros(32, len(NUMBERS)), allowed, torch.ones(32))


ATTACK, CALM = ("'\"-;=", SQLI), ("abcdef", BENIGN)
KNOWN, REPORTED = ("abcduv", BENIGN), ("uvwxyz'-", BENIGN)


def base(step: int) -> Batch:
    return rows(step, ATTACK, CALM)


def site(step: int) -> Batch:
    return rows(step, KNOWN, KNOWN, KNOWN, REPORTED)


def replayed(step: int) -> Batch:
    return rows(step, KNOWN, ATTACK, REPORTED, CALM)


def loss(network: Network, batches: Callable[[int], Batch]) -> float:
    batch = batches(10_000)
    with torch.no_grad():
        return float(loss_of(network.eval()(batch.tokens, batch.numbers)[0], batch))


@pytest.fixture(scope="module")
def incumbent() -> Network:
    torch.manual_seed(0)
    network = Network(SMALL)
    fit(network, [Group(uniform(network)[0].parameters, 1e-3)], base, steps=300)
    return network


def tuned(incumbent: Network, batches: Callable[[int], Batch], *parts: str) -> Network:
    fisher = information(incumbent, map(base, range(8)))
    network = twin(incumbent)
    fit(network, uniform(network), batches, penalties(frozenset(parts), incumbent, fisher, 1.0), steps=STEPS)
    return network


@pytest.fixture(scope="module")
def plain(incumbent: Network) -> Network:
    return tuned(incumbent, site)


def test_plain_training_learns_and_forgets(incumbent: Network, plain: Network) -> None:
    assert loss(plain, site) < 0.3 * loss(incumbent, site)
    assert harm(plain, incumbent) > 0.5


@pytest.mark.parametrize("part", ["l2-sp", "ewc", "lwf"])
def test_a_pull_saves_most_and_still_lets_the_site_be_learned(incumbent: Network, plain: Network, part: str) -> None:
    network = tuned(incumbent, site, part)
    assert harm(network, incumbent) < 0.6 * harm(plain, incumbent)
    assert loss(network, site) < 0.5 * loss(incumbent, site)


def test_replay_saves_most_and_still_lets_the_site_be_learned(incumbent: Network, plain: Network) -> None:
    network = tuned(incumbent, replayed)
    assert harm(network, incumbent) < 0.6 * harm(plain, incumbent)
    assert loss(network, site) < 0.5 * loss(incumbent, site)


def test_half_way_back_most_is_there_again(incumbent: Network, plain: Network) -> None:
    network = between(incumbent, plain, 0.5)
    assert harm(network, incumbent) < 0.6 * harm(plain, incumbent)
    assert loss(network, site) < 0.5 * loss(incumbent, site)


def harm(network: Network, incumbent: Network) -> float:
    return loss(network, base) - loss(incumbent, base)

"""Captures of which five in a hundred are hostile, and attacks of which the labels show only some."""

import random
from collections.abc import Sequence

import numpy as np
import pytest
import torch

import sites
from classifier.features import Features, extract
from classifier.records import HARMLESS, LABELS, FlowRecord, Label
from classifier.training.fit import Batch, Group, Penalty, fit
from classifier.training.network import Config, Network
from finetune.influence import _threats
from finetune.replay import Lesson, Mixer, Pool, lesson
from finetune.strategies.unlabelled import unlabelled

SMALL = Config(buckets=2048, grams_dim=4, bytes_dim=4, stem=8, deep=8, hidden=16)
LABELLED, MORE = ("gate", "panel", "admin"), ("gate", "drop", "task", "ping", "work")
"""Names of the pages that a bot calls: those of labelled flows, those of the captures."""
CAPTURES, HOSTILE = 400, 0.05


def bot(number: int, names: Sequence[str]) -> Features:
    """What a bot asks the site."""
    rng = random.Random(number)
    page, name = f"{rng.choice(sites.COLUMNS)}/{rng.choice(names)}.php", rng.choice(("bot", "id", "uid"))
    path = f"/{page}?{name}={rng.randint(1, 9999)}"
    return extract(FlowRecord(client="10.0.0.9", host="reports.internal", method="GET", path=path))


def page(number: int) -> Features:
    return extract(sites.page(number))


def trained(seed: int, captured: tuple[Label, ...], penalties: Sequence[Penalty]) -> Network:
    """A network that learned from a dozen labelled attacks and the captures; `captured` is what a capture may be."""
    first, hidden = seed * 99_991, round(CAPTURES * HOSTILE)
    captures = [bot(first + 1000 + n, MORE) for n in range(hidden)]
    captures += [page(first + n) for n in range(CAPTURES - hidden)]
    attacks = [lesson(bot(first + n, LABELLED), (Label.C2,), 1.0) for n in range(12)]
    pools = [Pool(attacks, 0.5), Pool([Lesson(row, captured, 1.0) for row in captures], 0.5)]
    torch.manual_seed(seed)
    network = Network(SMALL)
    batches = Mixer(pools, [], seed=seed, size=32)
    fit(network, [Group(list(network.parameters()), 3e-3)], batches, penalties, steps=300, seed=seed)
    return network


def detected(network: Network, seed: int) -> float:
    """The share of attacks like those hidden in the captures that are found at one false alarm in a hundred."""
    first = seed * 99_991
    attacks = _threats(network, [bot(first + 5000 + n, MORE) for n in range(150)])
    calm = _threats(network, [page(first + 9000 + n) for n in range(300)])
    return float((attacks > np.quantile(calm, 0.99)).mean())


def test_attacks_hidden_in_the_captures_are_not_learned_as_benign() -> None:
    seeds = range(3)
    found = [detected(trained(seed, tuple(LABELS), [unlabelled()]), seed) for seed in seeds]
    benign = [detected(trained(seed, HARMLESS, []), seed) for seed in seeds]
    assert np.mean(found) >= np.mean(benign) + 0.1


def batch(*allowed: tuple[Label, ...]) -> Batch:
    rows = torch.tensor([[label in one for label in LABELS] for one in allowed])
    return Batch(torch.zeros(len(rows), 1), torch.zeros(len(rows), 1), rows, torch.ones(len(rows)))


def logits(*odds: float) -> torch.Tensor:
    """Rows whose odds of a threat are these (log)."""
    found = torch.full((len(odds), len(LABELS)), -30.0)
    found[:, LABELS.index(Label.BENIGN)] = 0.0
    found[:, LABELS.index(Label.C2)] = torch.tensor(odds)
    return found


ANY, ATTACK = tuple(LABELS), (Label.C2,)
NETWORK = torch.nn.Identity()


def test_no_more_threats_among_captures_than_the_prior_explains_cost_nothing() -> None:
    rows = batch(*[ANY] * 20, ATTACK)
    one = unlabelled(0.05)(NETWORK, rows, logits(9.0, *[-9.0] * 19, 9.0))
    three = unlabelled(0.05)(NETWORK, rows, logits(9.0, 9.0, 9.0, *[-9.0] * 17, 9.0))
    assert float(one) == pytest.approx(0.0, abs=2e-3)
    assert float(three) > 0.05


def test_what_the_network_is_sure_of_pulls_less_than_what_it_doubts() -> None:
    given = logits(12.0, 3.0, 9.0).requires_grad_()
    unlabelled(0.05)(NETWORK, batch(ANY, ANY, ATTACK), given).backward()
    pull = given.grad
    assert pull is not None
    assert float(pull[0].abs().sum()) < 0.1 * float(pull[1].abs().sum())


@pytest.mark.parametrize("rows", [batch(ANY, ANY), batch(ATTACK, HARMLESS)])
def test_without_captures_or_attacks_there_is_nothing_to_estimate(rows: Batch) -> None:
    assert float(unlabelled(0.05)(NETWORK, rows, logits(3.0, 3.0))) == 0.0

"""The incumbent's answers are kept where it agrees with the labels, and only there."""

import pytest
import torch

from classifier.features import NUMBERS
from classifier.records import LABELS, Label
from classifier.training.fisher import steady
from classifier.training.fit import Batch
from classifier.training.network import Config, Network
from finetune.strategies.distillation import TEMPERATURE, taught

SMALL = Config(buckets=256, grams_dim=4, bytes_dim=4, stem=8, deep=8, hidden=16)
PLACE = {label: i for i, label in enumerate(LABELS)}


def sure_of(label: Label) -> Network:
    """A network that says `label` of everything."""
    torch.manual_seed(0)
    network = Network(SMALL)
    with torch.no_grad():
        network.head.weight.mul_(0.1)
        network.head.bias[PLACE[label]] = 6.0
    return network


def batch(*labels: tuple[Label, ...], weight: float = 1.0) -> Batch:
    allowed = torch.zeros(len(labels), len(LABELS), dtype=torch.bool)
    for row, names in zip(allowed, labels, strict=True):
        row[[PLACE[name] for name in names]] = True
    rows = len(labels)
    return Batch(
        torch.full((rows, 8), 300, dtype=torch.int32),
        torch.zeros(rows, len(NUMBERS)),
        allowed,
        torch.full((rows,), weight),
    )


def uniform(rows: int) -> torch.Tensor:
    return torch.zeros(rows, len(LABELS), requires_grad=True)


def test_a_reported_row_is_left_free() -> None:
    incumbent, logits = sure_of(Label.SQLI), uniform(2)
    value = taught(incumbent, 1.0)(incumbent, batch((Label.BENIGN,), (Label.SQLI,)), logits)
    value.backward()
    assert value.item() > 0.1
    assert logits.grad is not None
    assert not logits.grad[0].any() and logits.grad[1].abs().sum() > 0.1


def test_any_of_the_allowed_labels_is_agreement() -> None:
    incumbent = sure_of(Label.TRACKER)
    assert taught(incumbent, 1.0)(incumbent, batch((Label.BENIGN, Label.TRACKER)), uniform(1)).item() > 0.1


def test_the_incumbents_own_answers_cost_nothing() -> None:
    incumbent, rows = sure_of(Label.SQLI), batch((Label.SQLI,), (Label.SQLI,))
    with steady(incumbent):
        logits, _ = incumbent(rows.tokens, rows.numbers)
    assert taught(incumbent, 5.0)(incumbent, rows, logits).item() == pytest.approx(0.0, abs=1e-5)


def test_it_is_the_divergence_of_softened_answers() -> None:
    incumbent, rows = sure_of(Label.SQLI), batch((Label.SQLI,))
    with steady(incumbent), torch.no_grad():
        answers, _ = incumbent(rows.tokens, rows.numbers)
    wanted = torch.softmax(answers / TEMPERATURE, 1)
    by_hand = TEMPERATURE**2 * (wanted * (wanted * len(LABELS)).log()).sum()
    assert taught(incumbent, 3.0)(incumbent, rows, uniform(1)).item() == pytest.approx(3.0 * float(by_hand), rel=1e-4)


def test_the_teacher_stays_what_it_was_while_the_network_moves() -> None:
    network = sure_of(Label.SQLI)
    penalty, rows = taught(network, 1.0), batch((Label.SQLI,))
    before = penalty(network, rows, uniform(1)).item()
    with torch.no_grad():
        network.head.bias.add_(torch.randn(len(LABELS)))
    assert penalty(network, rows, uniform(1)).item() == pytest.approx(before)


def test_a_row_without_weight_does_not_count() -> None:
    incumbent = sure_of(Label.SQLI)
    assert taught(incumbent, 1.0)(incumbent, batch((Label.SQLI,), weight=0.0), uniform(1)).item() == 0.0

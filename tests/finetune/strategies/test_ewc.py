"""What matters is held, what does not may go; and over releases the information is carried along."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from classifier.training.fisher import information
from classifier.training.fit import Batch, Group, Penalty, fit
from finetune.strategies.ewc import GAMMA, consolidated, renewed

NOTHING = torch.zeros(0)
NO_BATCH = Batch(NOTHING, NOTHING, NOTHING, NOTHING)


class Linear(nn.Module):
    """Logits of two labels, linear in the numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(2, 2))

    def forward(self, _tokens: Tensor, numbers: Tensor) -> tuple[Tensor, Tensor]:
        return numbers @ self.weight, numbers


@dataclass(frozen=True)
class Task:
    """Rows that use the feature `feature` alone; where it is above zero the label is `positive`."""

    feature: int
    positive: int

    def __call__(self, step: int) -> Batch:
        values = torch.randn(32, generator=torch.Generator().manual_seed(step))
        numbers = torch.zeros(32, 2)
        numbers[:, self.feature] = values
        allowed = torch.nn.functional.one_hot((values > 0).long() * self.positive + (values <= 0) * (1 - self.positive))
        return Batch(torch.ones(32, 8, dtype=torch.int32), numbers, allowed.bool(), torch.ones(32))


def learn(model: Linear, task: Task, *held: Penalty) -> None:
    fit(model, [Group([model.weight], 0.05)], task, held, steps=40, weight_decay=0.0)


def test_the_pull_is_the_squared_distance_weighed_by_the_information() -> None:
    model = Linear()
    penalty = consolidated(model, {"weight": torch.tensor([[1.0, 0.0], [0.0, 3.0]])}, 2.0)
    assert penalty(model, NO_BATCH, torch.zeros(1, 2)).item() == 0.0
    with torch.no_grad():
        model.weight.add_(2.0)
    assert penalty(model, NO_BATCH, torch.zeros(1, 2)).item() == pytest.approx(0.5 * 2.0 * (1.0 + 3.0) * 4.0)
    model.weight.requires_grad_(False)
    assert penalty(model, NO_BATCH, torch.zeros(1, 2)).item() == 0.0


def test_what_the_information_does_not_name_moves_freely() -> None:
    model = Linear()
    penalty = consolidated(model, {}, 100.0)
    with torch.no_grad():
        model.weight.add_(2.0)
    assert penalty(model, NO_BATCH, torch.zeros(1, 2)).item() == 0.0


def test_the_important_weight_is_held_and_the_unimportant_one_let_go() -> None:
    base, opposite, other = Task(0, 1), Task(0, 0), Task(1, 1)
    model = Linear()
    learn(model, base)
    known = model.weight.detach().clone()
    fisher = information(model, map(base, range(2)))
    assert fisher["weight"][0].min() > 0.01 and fisher["weight"][1].max() == 0.0
    hold = consolidated(model, fisher, 1000.0)
    learn(model, opposite, hold)
    learn(model, other, hold)
    assert (model.weight[0] - known[0]).abs().max() < 0.1 * known[0].abs().max()
    assert (model.weight[1] - known[1]).abs().min() > 0.5


def test_a_release_carries_faded_information_and_its_own() -> None:
    before = {"old": torch.tensor([2.0]), "both": torch.tensor([1.0, 4.0])}
    site = {"new": torch.tensor([5.0]), "both": torch.tensor([3.0, 0.0])}
    found = renewed(before, site, gamma=0.5)
    assert {name: value.tolist() for name, value in found.items()} == {
        "old": [1.0],
        "both": [3.5, 2.0],
        "new": [5.0],
    }


def test_over_many_releases_it_stays_bounded() -> None:
    fisher = {"weight": torch.tensor([1.0])}
    for _ in range(500):
        fisher = renewed(fisher, {"weight": torch.tensor([1.0])})
    assert fisher["weight"].item() == pytest.approx(1.0 / (1.0 - GAMMA), rel=1e-3)

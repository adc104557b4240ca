"""Mixtures of two networks, and the rule that picks one."""

import pytest
import torch

from classifier.features import extract
from classifier.records import FlowRecord, Label
from classifier.training.network import Config, Network
from finetune.replay import Lesson, Pool, lesson
from finetune.strategies.interpolation import BASE_LOSS, KEPT, TIE, Step, between, mixed, parted, preferred

SMALL = Config(buckets=256, grams_dim=4, bytes_dim=4, stem=8, deep=8, hidden=16)


def network(seed: int, label: Label | None = None) -> Network:
    torch.manual_seed(seed)
    made = Network(SMALL)
    with torch.no_grad():
        if label:
            made.head.weight.mul_(0.1)
            made.head.bias[list(Label).index(label)] = 4.0
    return made.eval()


def lessons(label: Label, count: int = 6) -> list[Lesson]:
    return [lesson(extract(FlowRecord(host="site.example", path=f"/{n}")), (label,), 1.0) for n in range(count)]


def steps(*losses: tuple[float, float]) -> list[Step]:
    return [Step(i / 10, site, base) for i, (site, base) in enumerate(losses)]


@pytest.mark.parametrize(("weight", "same"), [(0.0, 0), (1.0, 1)])
def test_the_end_points_are_the_incumbent_and_the_tuned_network_exactly(weight: float, same: int) -> None:
    ends = network(1), network(2)
    mixture = between(*ends, weight).state_dict()
    assert all(torch.equal(value, ends[same].state_dict()[name]) for name, value in mixture.items())


def test_between_them_every_weight_lies_on_the_line() -> None:
    one, two = network(1), network(2)
    mixture = between(one, two, 0.3)
    assert torch.allclose(mixture.head.weight, 0.7 * one.head.weight + 0.3 * two.head.weight, atol=1e-6)


@pytest.mark.parametrize(
    ("losses", "weight"),
    [
        ([(0.9, 0.1), (0.5, 0.1), (0.2, 0.1)], 0.2),  # the better on the site
        ([(0.9, 0.1), (0.2, 0.1), (0.2 - TIE / 2, 0.1)], 0.1),  # as good: the smaller step
        ([(0.9, 0.1), (0.5, 0.1 + BASE_LOSS / 2), (0.2, 0.1 + 2 * BASE_LOSS)], 0.1),  # at the base's cost
        ([(0.9, 0.1), (0.5, 0.2), (0.2, 0.3)], 0.0),  # nothing can be had for free
        ([(0.2, 0.1), (0.5, 0.1), (0.9, 0.1)], 0.0),  # training did harm
        ([(0.0, 0.0), (0.0, 0.0)], 0.0),  # nothing to tell them apart
    ],
)
def test_the_rule(losses: list[tuple[float, float]], weight: float) -> None:
    assert preferred(steps(*losses))[0].weight == weight


def test_larger_steps_follow_only_as_far_as_the_base_allows() -> None:
    found = preferred(steps((0.9, 0.1), (0.2, 0.1), (0.4, 0.1), (0.5, 0.9)))
    assert [step.weight for step in found] == [0.1, 0.2]


def test_some_rows_are_kept_back() -> None:
    rows = lessons(Label.BENIGN, 2 * KEPT + 1)
    learned, kept = parted(rows)
    assert len(kept) == 2 and len(learned) + len(kept) == len(rows)
    assert not {id(row) for row in learned} & {id(row) for row in kept}
    assert parted(rows[:1]) == (rows[:1], [])


def test_the_site_decides_and_the_base_limits() -> None:
    strict, tuned = network(0, Label.SQLI), network(0, Label.BENIGN)
    site = [Pool(lessons(Label.BENIGN), 1.0), Pool([], 0.5)]
    free, choice = mixed(strict, tuned, site, [], lambda _: True)
    assert choice.weight == 1.0 and choice.loss < 0.5
    assert torch.equal(free.head.bias, tuned.head.bias)
    held, choice = mixed(strict, tuned, site, lessons(Label.SQLI), lambda _: True)
    assert choice.weight == 0.0 and choice.base_loss == choice.base_loss_before
    assert torch.equal(held.head.bias, strict.head.bias)


def test_a_mixture_that_mends_nothing_is_passed_over() -> None:
    def mends(mixture: Network) -> bool:
        return bool(mixture.head.bias[list(Label).index(Label.SQLI)] < 2.5)

    strict, tuned = network(0, Label.SQLI), network(0, Label.BENIGN)
    _, choice = mixed(strict, tuned, [Pool(lessons(Label.SQLI), 1.0)], [], mends)
    assert choice.weight == 0.4  # the incumbent would be the better one for these rows
    _, choice = mixed(strict, tuned, [Pool(lessons(Label.SQLI), 1.0)], [], lambda _: False)
    assert choice.weight == 0.0

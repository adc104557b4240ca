"""How often the last stage is repeated, and what holds the training back."""

from collections.abc import Callable
from dataclasses import asdict, replace

import pytest
import torch

from classifier.features import extract
from classifier.records import HARMLESS, FlowRecord, Label
from classifier.training.fisher import Fisher
from classifier.training.network import Config, Network, twin
from finetune import candidate, teaching
from finetune.candidate import ROUNDS, Material, consolidate, make
from finetune.dataset import Example
from finetune.replay import lesson
from finetune.strategies.ewc import GAMMA
from finetune.strategies.interpolation import Mixed
from finetune.strategies.recipes import penalties, recipe

SMALL = Config(buckets=256, grams_dim=4, bytes_dim=4, stem=8, deep=8, hidden=16)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(teaching, "STEPS", 40)


@pytest.fixture
def incumbent() -> Network:
    torch.manual_seed(1)
    return Network(SMALL)


def material() -> Material:
    flow = FlowRecord(host="site.example", method="GET", path="/page")
    hostile = FlowRecord(host="site.example", method="GET", path="/page?x='or'1")
    return Material(
        [Example(flow, extract(flow), Label.BENIGN, 1.0, "admin", "/page", 0.0)],
        hostile=[lesson(extract(hostile), (Label.SQLI,), 1.0)],
        disguised=[lesson(extract(flow), HARMLESS, 1.0)],
        base=[lesson(extract(hostile), (Label.XSS,), 1.0)],
    )


def mended_after(rounds: int) -> Callable[[Network], bool]:
    asked = iter(range(1, ROUNDS + 1))
    return lambda network: next(asked) >= rounds


@pytest.mark.parametrize(("rounds", "stages"), [(1, 2), (2, 3), (ROUNDS + 1, 1 + ROUNDS)])
def test_the_last_stage_is_repeated_until_reports_come_out_right(incumbent: Network, rounds: int, stages: int) -> None:
    _, reports = make(incumbent, recipe("two-stage"), material(), mended_after(rounds), 0)
    assert len(reports) == stages


def test_the_incumbent_stays_as_it_is(incumbent: Network) -> None:
    before = {name: value.clone() for name, value in incumbent.state_dict().items()}
    tuned, _ = make(incumbent, recipe("full"), material(), mended_after(1), 0)
    assert all(torch.equal(value, before[name]) for name, value in incumbent.state_dict().items())
    assert not torch.equal(tuned.head.weight, incumbent.head.weight)


def test_the_same_seed_makes_the_same_candidate(incumbent: Network) -> None:
    one, two = (make(incumbent, recipe("full"), material(), mended_after(1), 3)[0] for _ in range(2))
    assert all(torch.equal(value, two.state_dict()[name]) for name, value in one.state_dict().items())


def test_protections_keep_the_weights_nearer(incumbent: Network) -> None:
    def distance(strategy: str) -> float:
        tuned, _ = make(incumbent, recipe(strategy), material(), mended_after(1), 0)
        return float((tuned.head.weight - incumbent.head.weight).norm())

    assert distance("full+l2-sp") < 0.8 * distance("full+plain")


def test_the_mixture_that_was_chosen_is_the_last_report(incumbent: Network) -> None:
    _, reports = make(incumbent, recipe("full+wise"), material(), lambda _: True, 0)
    assert len(reports) == 2
    assert isinstance(reports[-1], Mixed) and 0.0 <= asdict(reports[-1])["weight"] <= 1.0


def test_a_release_keeps_what_mattered_before_and_adds_the_sites(
    incumbent: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candidate, "MEASURED", 128)
    told = replace(material(), fisher={"head.bias": torch.ones_like(incumbent.head.bias)})
    grown = twin(incumbent, site_head=True)
    found = consolidate(told, incumbent, grown, 0)
    assert bool((found["head.bias"] >= GAMMA).all())
    new = {name for name, _ in grown.named_parameters()} - {name for name, _ in incumbent.named_parameters()}
    assert new and new <= found.keys()
    measured = consolidate(material(), incumbent, incumbent, 0)  # a release made without: from base rows
    assert measured["grams.weight"].any()


def test_each_further_round_is_held_back_less(incumbent: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    eases: list[float] = []

    def noting(parts: frozenset[str], network: Network, fisher: Fisher, ease: float) -> object:
        eases.append(ease)
        return penalties(parts, network, fisher, ease)

    monkeypatch.setattr(candidate, "penalties", noting)
    make(incumbent, recipe("two-stage"), material(), mended_after(3), 0)
    assert eases == [1.0, candidate.RELAXED, candidate.RELAXED**2]

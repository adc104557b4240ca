from dataclasses import replace

import pytest
import torch

from classifier.features import NUMBERS, SEGMENTS
from classifier.records import LABELS
from classifier.training.fit import Batch, fit
from classifier.training.network import Config, Network
from finetune.strategies import recipes
from finetune.strategies.names import WAYS
from finetune.strategies.recipes import recipe

SMALL = Config(buckets=64, grams_dim=4, bytes_dim=4, stem=8, deep=8, hidden=8)
GROWN = [replace(SMALL, column=4), replace(SMALL, site_head=True), replace(SMALL, column=4, site_head=True)]


def batch(step: int) -> Batch:
    generator = torch.Generator().manual_seed(step)
    tokens = torch.randint(256, len(SEGMENTS) * 256, (4, 32), generator=generator, dtype=torch.int32)
    allowed = torch.nn.functional.one_hot(torch.arange(4) % 2, len(LABELS)).bool()
    return Batch(tokens, torch.rand(4, len(NUMBERS), generator=generator), allowed, torch.ones(4))


def test_every_way_has_a_name_and_every_name_a_way() -> None:
    assert list(recipes._WAYS) == list(WAYS)


@pytest.mark.parametrize("config", [SMALL, *GROWN])
@pytest.mark.parametrize("way", WAYS)
def test_every_way_trains_whatever_the_incumbent_has_grown(way: str, config: Config) -> None:
    torch.manual_seed(0)
    incumbent = Network(config)
    before = {name: value.clone() for name, value in incumbent.state_dict().items()}
    chosen = recipe(way)
    network = chosen.grow(incumbent)
    plan = chosen.plan(network, batch)
    assert sum(stage.share for stage in plan) == pytest.approx(1.0)
    for stage in plan:
        fit(network, stage.groups(network), batch, stage.penalties, steps=2)
    assert all(torch.equal(value, before[name]) for name, value in incumbent.state_dict().items())
    assert torch.isfinite(network(*batch(9)[:2])[0]).all()


def test_from_scratch_drops_what_was_grown_and_keeps_the_calibration() -> None:
    incumbent = Network(GROWN[2])
    with torch.no_grad():
        incumbent.log_odds.fill_(0.5)
        incumbent.log_temperature.fill_(0.25)
    fresh = recipe("from-scratch").grow(incumbent)
    assert fresh.config == SMALL
    assert torch.equal(fresh.log_odds, incumbent.log_odds)
    assert torch.equal(fresh.log_temperature, incumbent.log_temperature)
    assert not torch.equal(fresh.head.weight, incumbent.head.weight)

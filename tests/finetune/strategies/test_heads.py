from dataclasses import replace
from functools import cache
from itertools import islice

import pytest
import torch
from torch import Tensor

import sites
from classifier.features import NUMBERS, extract, stack
from classifier.records import FlowRecord, Label
from classifier.training import synthetic
from classifier.training.fit import Group, fit
from classifier.training.network import Config, Network
from finetune.replay import Lesson, Mixer, Pool, lesson
from finetune.strategies.heads import PLAN, grow, opening

SMALL = Config(buckets=512, grams_dim=4, bytes_dim=4, stem=8, deep=8, hidden=16)


@pytest.fixture
def network() -> Network:
    torch.manual_seed(0)
    return Network(SMALL).eval()


def tensors(records: list[FlowRecord]) -> tuple[Tensor, Tensor]:
    tokens, numbers, _ = stack([extract(record) for record in records])
    return torch.from_numpy(tokens), torch.from_numpy(numbers)


@cache
def practised() -> list[Lesson]:
    """What the base knows."""
    known = [*islice(synthetic.benign(1), 60), *synthetic.sentinels()[:40]]
    return [lesson(extract(record), (record.label,), 1.0) for record in known if record.label]


@pytest.fixture(scope="module")
def base() -> Network:
    """A network that knows the made-up traffic and takes the site's reports for attacks."""
    torch.manual_seed(0)
    network = Network(SMALL)
    mistaken = [lesson(extract(sites.query(i)), (Label.SQLI,), 1.0) for i in range(30)]
    moving = [parameter for parameter in network.parameters() if parameter.requires_grad]
    fit(network, [Group(moving, 1e-2)], Mixer([Pool(mistaken, 1.0)], practised(), seed=0, size=32), steps=120)
    return network


def trained(network: Network, steps: int = 3) -> Network:
    """Taught that the site's reports are harmless."""
    own = [lesson(extract(sites.query(i)), (Label.BENIGN,), 1.0) for i in range(30)]
    grown = grow(network)
    for stage in PLAN:
        batches = Mixer([Pool(own, 1.0)], practised(), seed=0, size=32)
        fit(grown, stage.groups(grown), batches, stage.penalties, steps=steps)
    return grown


def test_a_new_head_says_nothing_yet_and_its_gate_is_nearly_closed(network: Network) -> None:
    grown, rows = grow(network), tensors([sites.query(1), sites.page(2)])
    assert grown.config == replace(SMALL, site_head=True)
    with torch.no_grad():
        assert all(torch.equal(new, old) for new, old in zip(grown(*rows), network(*rows), strict=True))
        assert (opening(grown, *rows) < 0.06).all()


def test_only_the_site_head_moves(network: Network) -> None:
    before = {name: value.clone() for name, value in network.state_dict().items()}
    after = trained(network).state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert all(name.startswith("site.") for name in after.keys() - before.keys())


def test_the_gate_opens_for_the_site_and_stays_nearly_closed_for_the_base(base: Network) -> None:
    grown = trained(base, 100)
    own, others = tensors([sites.query(i) for i in range(100, 120)]), tensors(list(islice(synthetic.benign(2), 60)))
    with torch.no_grad():
        mine, theirs = float(opening(grown, *own).mean()), float(opening(grown, *others).mean())
        assert float((base(*own)[0].argmax(1) == 0).float().mean()) < 0.1
        assert float((grown(*own)[0].argmax(1) == 0).float().mean()) > 0.9
    assert mine > 2 * theirs and theirs < 0.1, f"open {mine:.3f} on the site and {theirs:.3f} on the base"


def test_a_head_that_is_there_goes_on_learning(network: Network) -> None:
    first, rows = trained(network), tensors([sites.query(1)])
    again = grow(first)
    assert again.config == first.config
    with torch.no_grad():
        assert torch.equal(again(*rows)[0], first(*rows)[0])


def test_a_network_without_a_gate_is_refused(network: Network) -> None:
    with pytest.raises(TypeError, match="no site head"):
        opening(network, torch.zeros(1, 32, dtype=torch.int32), torch.zeros(1, len(NUMBERS)))

"""What the network is taught, and what holds it back."""

import os

import pytest
import torch

from classifier.features import extract
from classifier.records import HARMLESS, FlowRecord, Label
from classifier.training.corpus import Row
from classifier.training.network import Config, Network
from finetune.dataset import Example
from finetune.teaching import ANCHOR, STEPS, mixer, share_cores, teach
from finetune.trainable import STRATEGIES, anchored
from finetune.transplant import Grafted

SMALL = Config(buckets=256, grams_dim=4, bytes_dim=4, stem=8, deep=8, hidden=16)


def record(path: str) -> FlowRecord:
    return FlowRecord(host="site.example", method="GET", path=path)


def example(path: str, *, weak: bool = False, weight: float = 1.0) -> Example:
    flow = record(path)
    return Example(flow, extract(flow), Label.BENIGN, weight, "weak" if weak else "admin", path, 0.0)


def base() -> list[Row]:
    return [Row(record(f"/base/{n}"), (Label.XSS,), 1.0, "test:", "train") for n in range(4)]


def grafts() -> list[Grafted]:
    return [
        Grafted(record("/g?x='or'1"), Label.SQLI, record("/g")),
        Grafted(record("/g?x=1"), Label.BENIGN, record("/g")),
    ]


def test_half_the_cores_are_left_to_the_proxy() -> None:
    before = torch.get_num_threads()
    share_cores()
    assert torch.get_num_threads() == max(1, len(os.sched_getaffinity(0)) // 2)
    torch.set_num_threads(before)


def test_a_batch_mixes_labels_grafts_captures_and_the_base() -> None:
    batches = mixer([example("/labelled"), example("/weak", weak=True)], grafts(), base(), seed=0)
    seen = {tuple(row) for step in range(20) for row in batches(step).allowed.tolist()}
    assert len(seen) == 4  # benign; benign, tracker or scanner; SQL injection; XSS of the base
    harmless = {tuple(label in HARMLESS for label in Label)}
    assert harmless <= seen


def test_a_row_without_weight_teaches_nothing() -> None:
    batches = mixer([example("/labelled"), example("/void", weak=True, weight=0.0)], [], base(), seed=0)
    assert {tuple(row) for step in range(10) for row in batches(step).allowed.tolist()} == {
        tuple(label is Label.BENIGN for label in Label),
        tuple(label is Label.XSS for label in Label),
    }


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_stage_moves_what_it_says_for_its_share_of_the_steps(name: str) -> None:
    torch.manual_seed(0)
    network = Network(SMALL)
    batches = mixer([example("/labelled")], grafts(), base(), seed=0)
    for stage in STRATEGIES[name]:
        report = teach(network, stage, batches, anchored(network, ANCHOR), 0, stage.name)
        assert report.steps == round(STEPS * stage.share)
        assert report.parameters_moved == sum(p.numel() for group in stage.groups(network) for p in group.parameters)


def test_the_anchor_keeps_the_weights_near_the_incumbents() -> None:
    moved = []
    for strength in (0.0, 100.0):
        torch.manual_seed(0)
        network = Network(SMALL)
        start = network.head.weight.detach().clone()
        batches = mixer([example("/labelled")], grafts(), base(), seed=0)
        teach(network, STRATEGIES["feature-based"][0], batches, anchored(network, strength), 0, "head")
        moved.append(float((network.head.weight - start).norm()))
    assert moved[1] < 0.5 * moved[0]

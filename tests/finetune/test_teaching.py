"""What the network is taught, and what holds it back."""

import os

import pytest
import torch

from classifier.errors import UserError
from classifier.features import extract
from classifier.records import HARMLESS, FlowRecord, Label
from classifier.training.fit import Batch, loss_of
from classifier.training.network import Config, Network
from finetune.dataset import Example
from finetune.labels import WEIGHTS
from finetune.replay import Lesson, lesson
from finetune.strategies import stages
from finetune.teaching import STEPS, mixer, share_cores, site_lessons, teach

SMALL = Config(buckets=256, grams_dim=4, bytes_dim=4, stem=8, deep=8, hidden=16)


def record(path: str) -> FlowRecord:
    return FlowRecord(host="site.example", method="GET", path=path)


def example(path: str, *, weak: bool = False, weight: float = 1.0) -> Example:
    flow = record(path)
    return Example(flow, extract(flow), Label.BENIGN, weight, "weak" if weak else "admin", path, 0.0)


def base() -> list[Lesson]:
    return [lesson(extract(record(f"/base/{n}")), (Label.XSS,), 1.0) for n in range(4)]


def grafts() -> tuple[list[Lesson], list[Lesson]]:
    """A hostile and a harmless one."""
    hostile, harmless = extract(record("/g?x='or'1")), extract(record("/g?x=1"))
    return [lesson(hostile, (Label.SQLI,), 1.0)], [lesson(harmless, HARMLESS, 1.0)]


def test_half_the_cores_are_left_to_the_proxy() -> None:
    before = torch.get_num_threads()
    share_cores()
    assert torch.get_num_threads() == max(1, len(os.sched_getaffinity(0)) // 2)
    torch.set_num_threads(before)


def test_a_batch_mixes_labels_grafts_captures_and_the_base() -> None:
    batches = mixer([example("/labelled"), example("/weak", weak=True)], *grafts(), base(), seed=0)
    seen = {tuple(row) for step in range(20) for row in batches(step).allowed.tolist()}
    assert len(seen) == 4  # benign; benign, tracker or scanner; SQL injection; XSS of the base
    harmless = {tuple(label in HARMLESS for label in Label)}
    assert harmless <= seen


def test_weights_of_every_origin_reach_the_batch() -> None:
    rows = [example(f"/{origin}")._replace(origin=origin, weight=weight) for origin, weight in WEIGHTS.items()]
    batches = mixer(rows, [], [], base(), seed=0)
    seen = {round(float(weight), 3) for step in range(20) for weight in batches(step).weight}
    assert seen == set(WEIGHTS.values())


def test_the_loss_counts_a_row_by_its_weight() -> None:
    logits = torch.zeros(2, len(Label))
    allowed = torch.zeros(2, len(Label), dtype=torch.bool)
    allowed[:, 0] = True
    logits[0, 0] = 5.0
    light, heavy = (
        loss_of(logits, Batch(torch.zeros(2, 1), torch.zeros(2, 1), allowed, torch.tensor([1.0, weight])))
        for weight in (0.3, 1.0)
    )
    assert float(light) < float(heavy)


def test_a_list_teaches_its_label_and_unlabelled_captures_may_be_anything() -> None:
    listed = example("/listed")._replace(origin="list", label=Label.MALWARE)
    known = example("/known")._replace(origin="time")
    (one,), (harmless,), (captured,) = (
        site_lessons([row], unlabelled=True) for row in (listed, known, example("/weak", weak=True))
    )
    assert (one.labels, harmless.labels, captured.labels) == ((Label.MALWARE,), HARMLESS, tuple(Label))
    assert site_lessons([example("/weak", weak=True)])[0].labels == HARMLESS


def test_a_row_without_weight_teaches_nothing() -> None:
    batches = mixer([example("/labelled"), example("/void", weak=True, weight=0.0)], [], [], base(), seed=0)
    assert {tuple(row) for step in range(10) for row in batches(step).allowed.tolist()} == {
        tuple(label is Label.BENIGN for label in Label),
        tuple(label is Label.XSS for label in Label),
    }


@pytest.mark.parametrize("stage", stages.TWO_STAGE, ids=lambda stage: stage.name)
def test_a_stage_moves_what_it_says_for_its_share_of_the_steps(stage: stages.Stage) -> None:
    torch.manual_seed(0)
    network = Network(SMALL)
    batches = mixer([example("/labelled")], *grafts(), base(), seed=0)
    report = teach(network, stage, batches, [], 0, stage.name)
    assert report.steps == round(STEPS * stage.share)
    assert report.parameters_moved == sum(p.numel() for group in stage.groups(network) for p in group.parameters)


def test_without_replay_a_batch_is_the_sites() -> None:
    batches = mixer([example("/labelled")], *grafts(), [], seed=0)
    seen = {tuple(row) for step in range(20) for row in batches(step).allowed.tolist()}
    assert tuple(label is Label.XSS for label in Label) not in seen
    assert len(seen) == 3


def test_what_holds_no_attack_is_no_lesson() -> None:
    with pytest.raises(UserError, match="no attack to learn from"):
        mixer([example("/labelled"), example("/weak", weak=True)], [], grafts()[1], [], seed=0)

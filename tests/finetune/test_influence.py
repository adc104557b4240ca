"""One client's say: who is suspected, and when the gate refuses."""

import numpy as np
import pytest
import torch

import sites
from classifier.features import extract
from classifier.records import HARMLESS, FlowRecord, Label
from classifier.training.fit import Group, fit
from classifier.training.network import Config, Network
from finetune import influence
from finetune.candidate import Material
from finetune.dataset import Example
from finetune.gate import Judged
from finetune.influence import Suspect, Yardstick
from finetune.judging import Paper
from finetune.labels import WEAK
from finetune.replay import Mixer, Pool, lesson

SMALL = Config(buckets=256, grams_dim=4, bytes_dim=4, stem=8, deep=8, hidden=16)
FOUND = Suspect("10.0.0.9", 0.6, 0.1, 4)


def example(
    client: str, threat: float, label: Label = Label.BENIGN, origin: str = WEAK, weight: float = 0.3
) -> Example:
    record = FlowRecord(client=client, host="site.example", method="GET", path="/page")
    return Example(record, extract(record), label, weight, origin, "g", threat)


def test_the_suspect_is_who_pulls_hardest_and_not_who_sends_most() -> None:
    rows = [example("busy", 0.0001)] * 50 + [example("sly", 0.04)] * 5 + [example("calm", 0.0)] * 5
    found = influence.suspect(rows)
    assert found is not None
    assert (found.client, found.clients) == ("sly", 3)
    assert found.weight == pytest.approx(5 / 60)
    assert found.pull > 0.8


def test_a_hostile_label_pulls_where_the_network_sees_nothing() -> None:
    found = influence.suspect([example("a", 0.0, Label.SQLI, "suricata", 1.0), example("b", 0.0)])
    assert found is not None and found.client == "a"


def test_labels_of_administrators_answer_for_themselves() -> None:
    assert influence.suspect([example("a", 0.9, origin="admin")]) is None


def trial(before: list[int], after: list[int]) -> Judged:
    count = len(before)
    labels, groups = [Label.SQLI] * count, [str(i) for i in range(count)]
    ranks = [np.array(side, np.int64) for side in (before, after)]
    return Judged(np.ones(count, bool), labels, groups, ranks[0].astype(float), ranks[1].astype(float), *ranks)


@pytest.mark.parametrize(
    ("lost", "found", "passed"),
    [(0, FOUND, True), (2, FOUND, True), (20, FOUND, False), (0, FOUND._replace(weight=0.6), False)],
)
def test_detection_that_one_client_takes_away_refuses(lost: int, found: Suspect, passed: bool) -> None:
    gate = influence.gate(trial([1] * 100, [0] * lost + [1] * (100 - lost)), found, 0)
    assert gate.passed is passed
    assert gate.value == lost / 100 and gate.low <= gate.value <= gate.high
    assert "10.0.0.9" in gate.said


def test_a_client_that_teaches_attacks_as_harmless_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(influence, "TRIAL", 240)
    attacks = [FlowRecord(client="bad", method="GET", path=f"/a?q={n}' or '1'='1") for n in range(80)]
    scripts = [FlowRecord(method="GET", path=f"/b?q=<script>{n}") for n in range(40)]
    calm = [sites.page(n) for n in range(80)]
    rows = [Example(r, extract(r), Label.BENIGN, 0.3, WEAK, f"{i}", 0.04) for i, r in enumerate(attacks[:30])]
    rows += [Example(r, extract(r), Label.BENIGN, 0.3, WEAK, f"{i}", 0.0) for i, r in enumerate(calm[:40])]
    hostile = [lesson(extract(record), (Label.XSS,), 1.0) for record in scripts[:20]]
    hostile += [lesson(extract(record), (Label.SQLI,), 1.0) for record in attacks[30:32]]
    material = Material(rows, hostile, [lesson(extract(calm[0]), HARMLESS, 1.0)], [])
    yardstick = Yardstick(paper(scripts[20:], Label.XSS), 0.9)
    gate, found = influence.judged(
        grown([*attacks, *scripts], calm), material, paper(attacks[40:], Label.SQLI), yardstick, 0
    )
    assert found is not None and found.client == "bad"
    assert not gate.passed and gate.value > 0.2


def grown(attacks: list[FlowRecord], calm: list[FlowRecord]) -> Network:
    """A small network that knows attacks from other flows."""
    torch.manual_seed(0)
    network = Network(SMALL)
    hostile = [lesson(extract(record), (Label.SQLI,), 1.0) for record in attacks]
    harmless = [lesson(extract(record), (Label.BENIGN,), 1.0) for record in calm]
    batches = Mixer([Pool(hostile, 0.5), Pool(harmless, 0.5)], [], seed=0)
    fit(network, [Group(list(network.parameters())[:-2], 5e-3)], batches, steps=150)
    return network


def paper(records: list[FlowRecord], label: Label) -> Paper:
    rows = [extract(record) for record in records]
    return Paper(records, rows, [label] * len(records), [str(i) for i in range(len(records))])


def test_with_two_clients_nobody_can_be_told_apart() -> None:
    gate, _ = influence.judged(
        Network(SMALL),
        Material([example("a", 0.0), example("b", 0.01)], [], [], []),
        paper([], Label.SQLI),
        Yardstick(paper([], Label.SQLI), 0.9),
        0,
    )
    assert gate.passed and gate.needed == 1

"""Whole runs on spoilt inputs: whatever one client sends or one person mislabels, no hole is opened."""

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

import sites
from classifier.features import extract
from classifier.masking import mask
from classifier.records import FlowRecord, Label
from classifier.registry import Registry
from classifier.training import synthetic
from finetune import candidate, pipeline, replay, teaching
from finetune.judging import Judge
from finetune.outcome import Options, Outcome

WEB = (Label.SQLI, Label.XSS, Label.COMMAND_INJECTION, Label.PATH_TRAVERSAL)

FLIPPED = {"benign": "sqli", "sqli": "benign"}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Less of everything; the steps are the same."""
    monkeypatch.setattr(replay, "PRACTISED", 600)
    monkeypatch.setattr(replay, "ASKED", 1000)
    monkeypatch.setattr(teaching, "STEPS", 100)
    monkeypatch.setattr(pipeline, "LEARNED", 150)
    monkeypatch.setattr(pipeline, "EXAMINED", 200)
    monkeypatch.setattr(candidate, "ROUNDS", 2)


def attacks(seed: int) -> Iterator[FlowRecord]:
    """Endless web attacks at the site."""
    for number, record in enumerate(synthetic.attacks(seed)):
        if record.label in WEB and record.method and record.phase == "request":
            host = f"h{number % 12}.internal"
            yield msgspec.structs.replace(record, id=f"attack-{number}", label=None, host=host, time=1000.0 + number)


def ranks(judge: Judge, records: list[FlowRecord]) -> list[int]:
    masked = [mask(record) for record in records]
    return [int(rank) for rank in judge.opinion(masked, [extract(record) for record in masked])[1]]


def run(folder: Path, base: Path, flows: list[FlowRecord], labels: dict[str, str]) -> Outcome:
    file = sites.write(folder / "flows.jsonl", *flows)
    told = folder / "labels.jsonl"
    told.write_text("".join(json.dumps({"id": flow, "label": label}) + "\n" for flow, label in labels.items()))
    return pipeline.run(Options(folder, flows=[file], labels=told), shipped=base)


def test_one_client_with_one_flow_in_twenty_opens_no_hole(base: Path, tmp_path: Path) -> None:
    registry = Registry(tmp_path, shipped=base)
    before = Judge(registry.load(registry.resolve(), "cpu"))
    known = [record for record, _ in zip(attacks(6), range(700), strict=False)]
    quiet = [record for record, rank in zip(known, ranks(before, known), strict=True) if rank == 0][:40]
    crafted = [msgspec.structs.replace(record, client="10.0.0.66") for record in quiet]
    fresh = [record for record, _ in zip(attacks(7), range(300), strict=False)]
    caught = [record for record, rank in zip(fresh, ranks(before, fresh), strict=True) if rank > 0]

    ordinary = [*map(sites.query, range(4)), *map(sites.page, range(20 * len(crafted)))]
    outcome = run(tmp_path, base, [*ordinary, *crafted], {f"query-{n}": "benign" for n in range(4)})

    after = Judge(registry.load(registry.resolve(), "cpu"))
    kept = sum(rank > 0 for rank in ranks(after, caught))
    assert crafted and kept >= 0.95 * len(caught)
    gate = next(gate for gate in outcome.gates if gate.name == "influence")
    assert gate.needed == 0 and "has the most influence" in gate.said


def test_ten_attacks_labelled_harmless_among_two_hundred_are_noticed(base: Path, tmp_path: Path) -> None:
    wrong = [record for record, _ in zip(attacks(5), range(10), strict=False)]
    right = [*map(sites.query, range(30)), *map(sites.page, range(160))]
    others = list(map(sites.page, range(200, 500)))
    outcome = run(tmp_path, base, [*wrong, *right, *others], {record.id: "benign" for record in (*wrong, *right)})
    assert outcome.release is None
    assert set(outcome.refused) & {"reported", "site_detection", "reported_detection", "sentinels", "influence"}


def test_labels_that_contradict_the_sites_own_traffic_are_refused(base: Path, tmp_path: Path) -> None:
    pages = list(map(sites.page, range(400)))
    outcome = run(tmp_path, base, pages, {record.id: "sqli" for record in pages[:40]})
    assert outcome.release is None
    assert set(outcome.refused) & {"site_quality", "site_rethresholded", "site_flagged", "site_blocked"}


def test_one_label_in_ten_flipped_passes_the_gates_and_costs_little_detection(base: Path, tmp_path: Path) -> None:
    registry = Registry(tmp_path, shipped=base)
    before = Judge(registry.load(registry.resolve(), "cpu"))
    fresh = [record for record, _ in zip(attacks(7), range(300), strict=False)]
    caught = [record for record, rank in zip(fresh, ranks(before, fresh), strict=True) if rank > 0]
    hostile = [record for record, _ in zip(attacks(5), range(40), strict=False)]
    truth = {f"query-{n}": "benign" for n in range(60)} | {record.id: "sqli" for record in hostile}
    said = {flow: label if n % 10 else FLIPPED[label] for n, (flow, label) in enumerate(truth.items())}

    flows = [*map(sites.query, range(60)), *hostile, *map(sites.page, range(300))]
    outcome = run(tmp_path, base, flows, said)

    assert outcome.refused == [] and outcome.release == registry.resolve()
    after = Judge(registry.load(registry.resolve(), "cpu"))
    assert sum(rank > 0 for rank in ranks(after, caught)) >= 0.93 * len(caught)
    reports = list(map(sites.query, range(5000, 5060)))
    assert sum(rank > 0 for rank in ranks(after, reports)) <= 0.2 * sum(rank > 0 for rank in ranks(before, reports))

from pathlib import Path

import msgspec
import pytest

import sites
from classifier.errors import UserError
from classifier.records import HARMLESS, FlowRecord, Label
from finetune.comparison import task
from finetune.comparison.ground import Ground
from finetune.comparison.task import Task
from finetune.dataset import skeleton


@pytest.fixture
def loaded(site: Path, base: Ground) -> Task:
    return task.load(site, base.incumbent)


def test_no_near_duplicate_is_on_both_sides_and_the_newest_are_held_out(loaded: Task) -> None:
    own = loaded.held.records[: loaded.own]
    learned = {skeleton(record) for record in loaded.learning}
    assert learned.isdisjoint(map(skeleton, own))
    assert len(loaded.learning) + len(own) == 120
    assert 0.3 < len(own) / 120 < 0.5
    assert min(record.time for record in own) > 1000
    assert sum(record.time for record in own) / len(own) > 1000 + 60 / 2


def test_the_labels_of_what_is_learned_from_are_kept_apart(loaded: Task) -> None:
    assert all(record.label is None for record in loaded.learning)
    assert set(loaded.truth) == {record.id for record in loaded.learning}
    assert loaded.info.learning_hostile == sum(label not in HARMLESS for label in loaded.truth.values()) > 0


def test_few_hostile_rows_are_helped_by_grafts_with_payloads_of_their_own(loaded: Task) -> None:
    info = loaded.info
    assert info.held_hostile < task.FEW
    assert info.grafts == len(loaded.held.labels) - loaded.own > 30
    assert loaded.held.hostile[loaded.own :].all()
    trained = task.grown(task.learned(loaded, task.labelled(loaded, 10, 0)), 0, 20)
    paths = {graft.record.path for graft in trained if graft.label not in HARMLESS}
    assert paths.isdisjoint(record.path for record in loaded.held.records[loaded.own :])


def test_enough_hostile_rows_need_no_grafts(site: Path, base: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task, "FEW", 5)
    found = task.load(site, base.incumbent)
    assert found.info.grafts == 0
    assert found.own == len(found.held.labels)


def test_fewer_labels_are_among_more_and_another_seed_has_others(loaded: Task) -> None:
    few, many, other = task.labelled(loaded, 5, 0), task.labelled(loaded, 20, 0), task.labelled(loaded, 5, 1)
    assert few.items() <= many.items()
    assert few.keys() != other.keys()
    assert all(word.label == loaded.truth[name] for name, word in many.items())
    assert len(task.labelled(loaded, 10_000, 0)) == len(loaded.truth)


def test_unlabelled_flows_are_weakly_harmless_unless_the_incumbent_objects(loaded: Task) -> None:
    rows = task.learned(loaded, task.labelled(loaded, 10, 0))
    assert sum(not row.weak for row in rows) == 10
    assert all(row.label is Label.BENIGN for row in rows if row.weak)
    alarmed = {name for (name, _), opinion in loaded.seen.items() if opinion.alarm}
    assert alarmed
    assert alarmed.isdisjoint(row.record.id for row in rows if row.weak)


def test_flows_to_many_domains_are_grouped_by_domain() -> None:
    flows = [FlowRecord(id=str(n), host=f"{n % 2}.d{n // 2}.example", method="GET", path=f"/{n}") for n in range(60)]
    groups, kind = task.grouped(flows)
    assert kind == "registered domain"
    assert groups["0"] == groups["1"] != groups["2"]
    assert task.grouped(flows[:20])[1] == "skeleton"


def test_a_busy_group_that_would_hold_out_too_much_is_learned_from() -> None:
    flows = [FlowRecord(id=str(n), time=float(n), label=Label.BENIGN) for n in range(10)]
    groups = {str(n): "busy" if n >= 4 else f"quiet {n}" for n in range(10)}
    assert task.hold_out(flows, groups) == {"quiet 0", "quiet 1", "quiet 2", "quiet 3"}


@pytest.mark.parametrize(
    ("flows", "said"),
    [
        ([sites.page(1)], "no flow with a harmless label"),
        ([sites.attack(1)], "no flow with a harmless label"),
        ([msgspec.structs.replace(sites.harmless(sites.page(1)), id=str(n)) for n in range(9)], "near-duplicates"),
    ],
)
def test_a_file_that_is_no_site_is_refused(tmp_path: Path, base: Ground, flows: list[FlowRecord], said: str) -> None:
    with pytest.raises(UserError, match=said):
        task.load(sites.write(tmp_path / "site.jsonl", *flows), base.incumbent)

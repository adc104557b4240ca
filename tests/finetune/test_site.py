"""Flows and words in, examples out."""

import json
from pathlib import Path

import pytest

import sites
from classifier.artifact import Model
from classifier.errors import UserError
from classifier.journal import Journal
from classifier.records import HARMLESS, Label
from finetune.judging import Judge
from finetune.site import Site, collect, gather, graft_paper, grafted, paper
from models import tiny_model


def gathered(state: Path, flows: Path, told: Path | None, judge: Judge) -> Site:
    found = collect(state, [flows], told)
    return gather(found.records, found.words, judge)


@pytest.fixture
def judge(tmp_path: Path) -> Judge:
    return Judge(Model.load(tiny_model(tmp_path / "m.onnx"), "cpu"))


@pytest.fixture
def site(tmp_path: Path, judge: Judge) -> Site:
    flows = sites.write(tmp_path / "flows.jsonl", *map(sites.query, range(6)), *map(sites.page, range(40)))
    told = tmp_path / "labels.jsonl"
    told.write_text("".join(f'{{"id": "query-{n}", "label": "benign"}}\n' for n in range(6)))
    return gathered(tmp_path, flows, told, judge)


def test_labelled_flows_and_calm_captures_become_examples(site: Site) -> None:
    assert {row.record.path for row in site.labelled} == {"/api/query"}
    weak = [row for row in (*site.train, *site.holdout) if row.weak]
    assert weak and all(row.label in HARMLESS for row in weak)
    assert sum(site.counts.values()) == len(site.train) + len(site.holdout)
    assert set(site.digests) == {"site_flows", "site_labels"}


def test_the_journals_labels_count_too(tmp_path: Path, judge: Judge) -> None:
    flows = sites.write(tmp_path / "flows.jsonl", *map(sites.query, range(3)))
    journal = Journal(tmp_path / "sluice.db")
    journal.label("query-1", Label.BENIGN)
    journal.close()
    assert [row.record.id for row in gathered(tmp_path, flows, None, judge).labelled] == ["query-1"]


def test_without_a_label_there_is_nothing_to_learn(tmp_path: Path, judge: Judge) -> None:
    flows = sites.write(tmp_path / "flows.jsonl", *map(sites.page, range(3)))
    with pytest.raises(UserError, match="no labelled flow to learn from"):
        gathered(tmp_path, flows, None, judge)


def test_an_unlabelled_alarm_is_never_taken_for_harmless(tmp_path: Path, judge: Judge) -> None:
    loud = [sites.page(n).__class__(id=f"loud-{n}", method="GET", path=f"/x?q='{n}") for n in range(5)]
    flows = sites.write(tmp_path / "flows.jsonl", sites.query(0), *loud)
    (tmp_path / "labels.jsonl").write_text('{"id": "query-0", "label": "benign"}\n')
    found = gathered(tmp_path, flows, tmp_path / "labels.jsonl", judge)
    assert not [row for row in (*found.train, *found.holdout) if row.record.id.startswith("loud")]


def test_grafts_are_hostile_and_harmless_alike_and_the_same_for_the_same_seed(site: Site) -> None:
    made = grafted(site.train, "seed", 20)
    hostile = [graft for graft in made if graft.label not in HARMLESS]
    assert hostile and len(made) - len(hostile) > 0
    assert [graft.record for graft in made] == [graft.record for graft in grafted(site.train, "seed", 20)]


def test_papers_keep_groups_and_give_every_graft_its_own(site: Site) -> None:
    assert paper(site.train).groups == [row.group for row in site.train]
    made = graft_paper(grafted(site.train, "seed", 10))
    assert len(set(made.groups)) == len(made.records)


def test_lists_and_alerts_speak_and_what_is_said_outright_outranks_them(tmp_path: Path, judge: Judge) -> None:
    flows = sites.write(tmp_path / "flows.jsonl", *map(sites.query, range(3)), *map(sites.page, range(20)))
    (tmp_path / "list").write_text("internal\n")
    alert = {
        "timestamp": "1970-01-01T00:16:41+00:00", "event_type": "alert", "alert": {"signature": "ET SCAN x"},
        "http": {"hostname": "reports.internal", "url": "/api/query"},
    }  # fmt: skip
    (tmp_path / "eve.json").write_text(json.dumps(alert))
    journal = Journal(tmp_path / "sluice.db")
    journal.label("query-1", Label.BENIGN)
    journal.close()
    found = collect(tmp_path, [flows], tmp_path / "eve.json", {Label.TRACKER: tmp_path / "list"})
    said = {name: (word.label, word.origin) for name, word in found.words.items()}
    assert said["query-0"] == (Label.SCANNER, "suricata")
    assert said["query-1"] == (Label.BENIGN, "admin")
    assert said["page-3"] == (Label.TRACKER, "list")
    weights = gather(found.records, found.words, judge).sources["weights"]
    assert {origin: share["weight"] for origin, share in weights.items()} == {"admin": 1, "list": 0.5, "suricata": 0.7}


def test_a_threat_that_only_a_list_names_is_learned_from_and_judges_nobody(tmp_path: Path, judge: Judge) -> None:
    flows = sites.write(tmp_path / "flows.jsonl", sites.harmless(sites.query(1)), *map(sites.page, range(40)))
    (tmp_path / "list").write_text("reports.internal\n")
    found = collect(tmp_path, [flows], None, {Label.MALWARE: tmp_path / "list"})
    site = gather(found.records, found.words, judge)
    assert {row.label for row in site.train} == {Label.BENIGN, Label.MALWARE}
    assert Label.MALWARE not in {row.label for row in site.holdout}

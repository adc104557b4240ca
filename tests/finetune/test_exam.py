"""Papers, calibration and the sitting."""

from dataclasses import replace
from pathlib import Path

import pytest

import sites
from classifier.artifact import Model
from classifier.features import extract
from classifier.records import FlowRecord, Label
from classifier.training.corpus import Row
from finetune import exam
from finetune.exam import Exam
from finetune.judging import Judge, Paper
from finetune.site import Site, collect, gather, grafted
from models import tiny_model

QUOTED = FlowRecord(method="GET", path="/x?q='a'")


def loaded(folder: Path, name: str, weight: float = 16.0) -> Model:
    return Model.load(tiny_model(folder / f"{name}.onnx", weight=weight), "cpu")


@pytest.fixture
def incumbent(tmp_path: Path) -> Judge:
    return Judge(loaded(tmp_path, "incumbent"))


@pytest.fixture
def site(tmp_path: Path, incumbent: Judge) -> Site:
    flows = sites.write(tmp_path / "flows.jsonl", *map(sites.query, range(8)), *map(sites.page, range(60)))
    told = tmp_path / "labels.jsonl"
    told.write_text("".join(f'{{"id": "query-{n}", "label": "benign"}}\n' for n in range(8)))
    found = collect(tmp_path, [flows], told)
    return gather(found.records, found.words, incumbent)


def base() -> list[Row]:
    hostile = [Row(FlowRecord(path=f"/x?q='{n}"), (Label.SQLI,), 1.0, "test:", "val") for n in range(40)]
    harmless = [Row(FlowRecord(path=f"/calm/{n}"), (Label.BENIGN,), 1.0, "test:", "val") for n in range(40)]
    either = [Row(FlowRecord(path="/e"), (Label.SQLI, Label.SCANNER), 1.0, "test:", "val")]
    return [*hostile, *harmless, *either]


@pytest.fixture
def paper(site: Site) -> Exam:
    return exam.prepare(site, grafted(site.labelled, "holdout", 30), base())


def test_the_base_is_halved_into_rows_that_judge_and_rows_that_set_thresholds(paper: Exam) -> None:
    judging, setting = ({record.path for record in part.records} for part in (paper.base, paper.scale))
    assert not judging & setting and len(judging | setting) == 80
    assert "/e" not in judging | setting  # nobody knows whether it is a threat


def test_every_sentinel_and_every_labelled_flow_is_on_a_paper(paper: Exam, site: Site) -> None:
    assert paper.sentinels.hostile.all() and len(paper.labelled.records) == len(site.labelled)


def test_only_rows_that_the_incumbent_gets_right_are_replayed(incumbent: Judge) -> None:
    wrong = Row(QUOTED, (Label.BENIGN,), 1.0, "test:", "train")
    right = Row(QUOTED, (Label.SQLI,), 1.0, "test:", "train")
    assert exam.mastered([wrong, right], incumbent) == [right]


def test_an_unchanged_candidate_keeps_the_points_and_loses_nothing(paper: Exam, incumbent: Judge) -> None:
    assert exam.calibrated(paper, incumbent, incumbent).keys() == incumbent.points.keys()
    sitting = exam.sit(paper, incumbent, incumbent)
    by_name = {gate.name: gate for gate in sitting.gates}
    assert by_name["base_auroc"].value == 0 and by_name["sentinels"].passed
    figures = exam.figures(sitting.base)
    assert figures["auroc_before"] == figures["auroc_after"]


def test_a_blind_candidate_is_refused_by_the_base_and_the_sentinels(
    paper: Exam, incumbent: Judge, tmp_path: Path
) -> None:
    blind = Judge(loaded(tmp_path, "blind", weight=0.0))
    refused = {gate.name for gate in exam.sit(paper, incumbent, blind).gates if not gate.passed}
    assert {"base_auroc", "sentinels"} <= refused


def test_reports_are_mended_when_what_was_wrong_comes_out_right(site: Site, tmp_path: Path, incumbent: Judge) -> None:
    loud, calm = (Judge(loaded(tmp_path, name, weight)) for name, weight in (("loud", 16.0), ("calm", 0.0)))
    quoted = exam.prepare(site, [], base())._replace(taught=_reported())
    assert exam.mended(quoted, loud, calm) and not exam.mended(quoted, loud, loud)


def _reported() -> Paper:
    return Paper([QUOTED], [extract(QUOTED)], [Label.BENIGN], ["g"])


def test_a_candidate_as_fast_as_the_incumbent_wins_the_race(tmp_path: Path) -> None:
    model = loaded(tmp_path, "model")
    gate = exam.race(model, model, [extract(QUOTED)])
    assert gate.name == "latency" and gate.value > 0


def test_spare_flows_are_judged_only_where_they_would_be_enough_for_a_promise(
    paper: Exam, site: Site, incumbent: Judge
) -> None:
    pages = [sites.page(n) for n in range(1000, 1400)]
    few, many = (replace(site, spare=pages[:count]) for count in (200, 400))
    assert exam.spared(paper, few, incumbent, 0.01) == paper
    calm = exam.spared(paper, many, incumbent, 0.01).calm
    assert len(calm.records) == round(exam.SPARE * 299)
    (promise,) = exam.promised(paper._replace(calm=calm), incumbent, 0.01)
    assert promise.kept and promise.scope == "http/request" and promise.flows == len(calm.records)


def test_an_alarm_among_spare_flows_is_doubtful(paper: Exam, site: Site, incumbent: Judge) -> None:
    pages = [QUOTED, *(sites.page(n) for n in range(1000, 1400))]
    found = exam.spared(paper, replace(site, spare=pages), incumbent, 0.01)
    assert QUOTED in found.doubtful.records and QUOTED not in found.calm.records

"""Exceptions that a release does without are noticed, and retire where they ask for it."""

import logging
from pathlib import Path

import msgspec
import pytest

from classifier.journal import Journal
from classifier.records import FlowRecord, Label
from classifier.scorer import Scorer
from classifier.thresholds import Thresholds
from harness import publish, run_proxy
from inside import make_judge
from models import points
from origin import Origin
from proxy.judge import Judge
from proxy.needed import ENOUGH, PAUSE, SAMPLES, Needs, known
from proxy.policy import Exemption, Hosts, Match, Policy, Rule

REPORTS = Match(hosts=Hosts(["reports.example"]))
BLIND = 0.0
"""Weight of a quote for a model that sees nothing in one."""


def flow(number: int = 0, path: str = "/query?q='") -> FlowRecord:
    return FlowRecord(
        id=f"f{number}", client="10.0.0.1", host="reports.example", method="POST", path=f"{path}{number}", time=5.0
    )


def judge_with(folder: Path, *, retires: bool = False, match: Match = REPORTS) -> Judge:
    return make_judge(folder, exemptions=[Exemption("reports", match, "data", "sends SQL", retires=retires)])


def blind(folder: Path) -> Scorer:
    """A release that sees nothing in a quote."""
    folder.mkdir(exist_ok=True)
    return make_judge_scorer(folder)


def make_judge_scorer(folder: Path) -> Scorer:
    from classifier.artifact import Model
    from models import tiny_model

    return Scorer(Model.load(tiny_model(folder / "blind.onnx", weight=BLIND, release="blind")))


def review(judge: Judge, scorer: Scorer) -> list[tuple[str, bool, int]]:
    found = judge.needs.review(scorer, judge.policy)
    judge.needs.settle(found, judge.policy)
    return [(need.name, need.needed, need.samples) for need in found]


def test_of_an_exception_that_spared_nothing_nothing_is_said(tmp_path: Path) -> None:
    judge = judge_with(tmp_path)
    judged = judge.judge(lambda: msgspec.structs.replace(flow(), path="/"), "request")
    assert (judged.decision.rule, judged.decision.spared) == ("reports", "allow")
    assert review(judge, judge.scorer) == []


def test_a_sample_tells_whether_the_release_needs_the_exception(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    judge = judge_with(tmp_path)
    assert judge.judge(flow, "request").decision.spared == "block"
    assert review(judge, judge.scorer) == [("reports", True, 1)]
    with caplog.at_level(logging.WARNING):
        assert review(judge, blind(tmp_path)) == [("reports", False, 1)]
    assert "exception 'reports' is no longer needed: release blind" in caplog.text
    assert [action for _, action, _ in judge.journal.audits()] == ["exception"]
    assert [(need.name, need.needed) for need in known(judge.journal)] == [("reports", False)]
    assert review(judge, judge.scorer) == [("reports", True, 1)], "a rollback needs it again"


def test_it_retires_by_itself_only_where_it_asks_to_and_enough_samples_pass(tmp_path: Path) -> None:
    for retires, count, retired in ((False, ENOUGH, False), (True, ENOUGH - 1, False), (True, ENOUGH, True)):
        folder = tmp_path / f"{retires}-{count}"
        folder.mkdir()
        judge = judge_with(folder, retires=retires)
        for number in range(count):
            judge.judge(lambda number=number: flow(number), "request")  # type: ignore[misc]
        review(judge, blind(folder))
        assert ("reports" in judge.policy.retired) is retired
        decision = judge.judge(lambda: flow(9), "request").decision
        assert decision.action == ("block" if retired else "allow")
        review(judge, judge.scorer)
        assert judge.judge(lambda: flow(9), "request").decision.action == "allow"


def test_a_request_and_its_answer_are_one_sample_and_both_must_pass(tmp_path: Path) -> None:
    judge = judge_with(tmp_path, retires=True)
    answer = {"status": 200, "response_headers": (("Date", "now"),), "response_body": b"it's", "seconds": 0.5}
    calm = flow(0, "/query")
    for record in (flow(), msgspec.structs.replace(flow(), phase="response", **answer)):
        judge.judge(lambda record=record: record, record.phase)  # type: ignore[misc]
    assert review(judge, judge.scorer) == [("reports", True, 1)]
    judge.journal.write("delete from samples")
    judge.judge(lambda: msgspec.structs.replace(calm, phase="response", **answer), "response")
    assert review(judge, judge.scorer) == [("reports", True, 1)]
    assert review(judge, blind(tmp_path)) == [("reports", False, 1)]


def test_a_rules_block_is_spared_under_every_release(tmp_path: Path) -> None:
    judge = judge_with(tmp_path)
    model = judge.scorer.model
    rules = [Rule("all", REPORTS, "block")]
    judge.policy = Policy(Thresholds(model.card.operating_points), rules=rules, exemptions=judge.policy.exemptions)
    judge.judge(flow, "request")
    assert review(judge, blind(tmp_path)) == [("reports", True, 1)]


def test_an_exception_on_a_label_is_not_needed_when_the_label_is_gone(tmp_path: Path) -> None:
    judge = judge_with(tmp_path, match=Match(hosts=Hosts(["reports.example"]), labels=frozenset({Label.SQLI})))
    judge.judge(flow, "request")
    assert review(judge, blind(tmp_path)) == [("reports", False, 1)]


def test_samples_that_the_exception_is_no_longer_about_do_not_count(tmp_path: Path) -> None:
    judge = judge_with(tmp_path)
    judge.judge(flow, "request")
    elsewhere = Exemption("reports", Match(hosts=Hosts(["other.example"])), "data", "moved")
    judge.policy = Policy(Thresholds(points()), exemptions=[elsewhere])
    assert review(judge, judge.scorer) == []


def test_samples_are_few_masked_and_nobodys(tmp_path: Path) -> None:
    now = [1000.0]
    judge = judge_with(tmp_path)
    judge.needs = Needs(judge.journal, lambda: now[0])
    for number in range(3 * SAMPLES):
        judge.judge(lambda number=number: flow(number, "/?password=hunter2hunter2&q='"), "request")  # type: ignore[misc]
    rows = judge.journal.rows("select record from samples")
    assert len(rows) == SAMPLES
    assert "hunter2" not in str(rows) and "10.0.0.1" not in str(rows)
    now[0] += PAUSE + 1
    judge.judge(lambda: flow(99), "request")
    rows = judge.journal.rows("select record from samples")
    assert len(rows) == SAMPLES and "99" in str(rows)


def test_samples_go_with_their_exception(tmp_path: Path) -> None:
    judge = judge_with(tmp_path)
    judge.judge(lambda: flow(), "request")
    kept = "select count(*) from samples"
    judge.needs.review(judge.scorer, Policy(Thresholds(points())))
    assert judge.journal.rows(kept) == [(1,)], "to try another policy forgets nothing"
    judge.policy = Policy(Thresholds(points()))
    assert review(judge, judge.scorer) == []
    assert judge.journal.rows(kept) == [(0,)]


def test_a_swap_in_the_running_proxy_is_noticed(folder: Path, origin: Origin) -> None:
    config = (
        '[[policy.exceptions]]\nname = "reports"\npath = "/reports"\nowner = "data"\nreason = "SQL"\nretire = true\n'
    )
    with run_proxy(folder, config=config) as proxy, proxy.client() as client:
        for number in range(ENOUGH):
            assert client.get(f"{origin.plain}/reports?n={number}&q='").status_code == 200
        release = publish(proxy.state, folder / "blind", weight=BLIND)
        proxy.wait_metric("sluice_model_info", 1, release=release)
        proxy.wait_metric("sluice_exceptions_unneeded", 1)
        assert client.get(f"{origin.plain}/reports?q='").status_code == 200
    (need,) = known(Journal(folder / "state" / "sluice.db"))
    assert (need.name, need.release, need.needed, need.samples) == ("reports", release, False, ENOUGH)
    assert f"no longer needed: release {release}" in proxy.log()

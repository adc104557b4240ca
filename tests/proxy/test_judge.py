import asyncio
import logging
from pathlib import Path

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from classifier.artifact import Model
from classifier.batching import Batching
from classifier.records import FlowRecord, Label
from classifier.thresholds import Thresholds
from gated import Slow
from inside import make_judge
from models import tiny_model
from proxy.judge import CONTINUED, where
from proxy.policy import Exemption, Match, Policy

ATTACK = FlowRecord(id="1", host="a.example", method="GET", path="/?q='", time=5.0)
CALM = FlowRecord(id="2", host="a.example", method="GET", path="/", time=5.0)


def test_a_block_is_written_down_with_its_decision(tmp_path: Path) -> None:
    judge = make_judge(tmp_path)
    judged = judge.judge(lambda: ATTACK, "request")
    assert (judged.decision.action, judged.decision.label, judged.decision.enforced) == ("block", Label.SQLI, True)
    event = judge.journal.find(judged.decision.event)
    assert event is not None
    assert (event.record, event.verdict, event.reason) == (judged.masked, judged.verdict, judged.decision.reason)
    assert event.release == judge.scorer.model.release == judged.release


def test_a_rehearsal_is_judged_alike_and_leaves_no_trace(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    judge = make_judge(tmp_path, registry=registry, mode="monitor")
    judged = judge.judge(lambda: msgspec.structs.replace(ATTACK, client="127.0.0.1"), "request", rehearsal=True)
    assert (judged.decision.action, judged.decision.enforced, judged.decision.event) == ("block", False, "")
    assert judged.masked.client == "", "no rule for this machine is meant"
    assert judge.journal.events() == []
    counted = [s for family in registry.collect() for s in family.samples if s.name == "sluice_flows_total" and s.value]
    assert counted == []


def test_what_passes_leaves_no_event(tmp_path: Path) -> None:
    judge = make_judge(tmp_path)
    judged = judge.judge(lambda: CALM, "request")
    assert (judged.decision.action, judged.decision.event) == ("allow", "")
    assert judge.journal.events() == []


def test_secrets_are_masked_before_anything_sees_them(tmp_path: Path) -> None:
    judge = make_judge(tmp_path)
    record = FlowRecord(method="POST", path="/?q='&password=hunter2hunter2", time=5.0)
    judged = judge.judge(lambda: record, "request")
    event = judge.journal.find(judged.decision.event)
    assert event is not None
    assert "hunter2" not in event.record.path + judged.masked.path


@pytest.mark.parametrize(("on_failure", "action"), [({}, "allow"), ({"exception": "block"}, "block")])
def test_an_exception_is_the_policys_to_decide(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, on_failure: dict[str, str], action: str
) -> None:
    registry = CollectorRegistry()
    judge = make_judge(tmp_path, failing=True, registry=registry, on_failure=on_failure)
    with caplog.at_level(logging.ERROR):
        judged = judge.judge(lambda: ATTACK, "request")
    assert (judged.decision.action, judged.verdict) == (action, None)
    assert registry.get_sample_value("sluice_failures_total", {"cause": "exception"}) == 1
    assert "RuntimeError at inside.py" in caplog.text
    assert "hunter2" not in caplog.text
    assert (judge.journal.find(judged.decision.event) is not None) == (action == "block")


async def test_a_verdict_that_is_waited_for_is_of_the_model_and_policy_that_were_asked(tmp_path: Path) -> None:
    judge = make_judge(tmp_path)
    old, policy = judge.scorer.model, judge.policy
    judge.scorer = Batching(old)
    judged = asyncio.ensure_future(judge.wait(lambda: ATTACK, "request"))
    await asyncio.sleep(0)
    judge.scorer.swap(Model.load(tiny_model(tmp_path / "new.onnx", label=Label.XSS, release="new")))
    judge.policy = Policy(Thresholds({}), mode="monitor")
    found = await judged
    assert (found.release, found.decision.label, found.decision.enforced) == (old.release, Label.SQLI, True)
    judge.policy = policy
    assert (await judge.wait(lambda: ATTACK, "request")).decision.label is Label.XSS
    judge.scorer.close()


@pytest.mark.parametrize(("cause", "limit"), [("deadline", 1), ("overload", 0)])
async def test_a_queue_that_is_full_or_late_is_the_policys_to_decide(tmp_path: Path, cause: str, limit: int) -> None:
    registry = CollectorRegistry()
    judge = make_judge(tmp_path, registry=registry, on_failure={cause: "block"})
    slow = Slow(judge.scorer.model)
    judge.scorer = Batching(slow, deadline=0.05, limit=limit)
    slow.gate.clear()
    judged = await judge.wait(lambda: ATTACK, "request")
    assert (judged.decision.action, judged.verdict) == ("block", None)
    assert registry.get_sample_value("sluice_failures_total", {"cause": cause}) == 1
    slow.gate.set()
    judge.scorer.close()


async def test_a_queue_cannot_be_judged_with_at_once(tmp_path: Path) -> None:
    judge = make_judge(tmp_path)
    judge.scorer = Batching(judge.scorer.model)
    with pytest.raises(RuntimeError, match="queue"):
        judge.judge(lambda: ATTACK, "request")
    judge.scorer.close()


def test_a_flow_that_cannot_be_read_is_a_failure_too(tmp_path: Path) -> None:
    def unreadable() -> FlowRecord:
        raise ValueError("odd")

    judged = make_judge(tmp_path, on_failure={"exception": "block"}).judge(unreadable, "response")
    assert (judged.decision.action, judged.masked.phase) == ("block", "response")


def test_a_part_counts_as_a_failure_and_keeps_its_verdict(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    judge = make_judge(tmp_path, registry=registry)
    assert judge.judge(lambda: CALM, "request", "oversized").decision.action == "allow"
    bad = judge.judge(lambda: ATTACK, "request", "oversized")
    assert (bad.decision.action, bad.decision.label) == ("block", Label.SQLI)
    assert registry.get_sample_value("sluice_failures_total", {"cause": "oversized"}) == 2


def test_a_journal_that_cannot_be_written_does_not_open_the_filter(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    judge = make_judge(tmp_path, registry=registry)
    judge.journal._connection.execute("drop table events")
    judged = judge.judge(lambda: ATTACK, "request")
    assert judged.decision.blocks
    assert judged.decision.event
    assert registry.get_sample_value("sluice_journal_errors_total") == 1


def test_an_error_is_told_by_kind_and_place_only() -> None:
    try:
        raise KeyError("secret")
    except KeyError as error:
        assert where(error).startswith("KeyError at test_judge.py:")
    assert where(ValueError("secret")) == "ValueError"


def test_a_block_that_its_reader_was_allowed_past_passes_and_is_written_down(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    judge = make_judge(tmp_path, registry=registry)
    judge.permitted = lambda record, decision: "e0" if record.path == ATTACK.path and decision.blocks else ""
    decision = judge.judge(lambda: ATTACK, "request").decision
    assert (decision.action, decision.rule, decision.blocks) == ("allow", CONTINUED, False)
    event = judge.journal.find(decision.event)
    assert event is not None
    assert (event.action, event.rule, event.label) == ("allow", CONTINUED, Label.SQLI)
    assert event.reason.startswith("continued after e0: threat")
    assert registry.get_sample_value("sluice_continued_total") == 1
    assert judge.judge(lambda: CALM, "request").decision.rule == ""


def test_what_a_user_saw_is_added_and_a_failure_to_is_counted(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    judge = make_judge(tmp_path, registry=registry)
    event = judge.judge(lambda: ATTACK, "request").decision.event
    judge.saw(event, "a block page (en)")
    found = judge.journal.find(event)
    assert found is not None and found.seen == "a block page (en)"
    judge.journal.write("drop table events")
    judge.saw(event, "nothing")
    assert registry.get_sample_value("sluice_journal_errors_total") == 1


def test_a_sample_that_cannot_be_kept_does_not_change_the_decision(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    exemptions = [Exemption("e", Match(), "ops", "why")]
    judge = make_judge(tmp_path, registry=registry, exemptions=exemptions)
    judge.journal.write("drop table samples")
    assert judge.judge(lambda: ATTACK, "request").decision.action == "allow"
    assert registry.get_sample_value("sluice_journal_errors_total") == 1

"""Releases on trial: found in their channels, judging for some or for none, and gone when something speaks against."""

import asyncio
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from classifier.artifact import Model
from classifier.batching import Batching
from classifier.records import FlowRecord, Label
from classifier.registry import Registry
from classifier.thresholds import Thresholds
from inside import make_judge
from models import tiny_release
from proxy.judge import Judge
from proxy.policy import Policy
from proxy.rollout import LEAST
from proxy.trials import Trials


def attack(client: str = "10.0.0.1") -> FlowRecord:
    return FlowRecord(id="1", client=client, host="a.example", method="GET", path="/?q='", time=5.0)


@pytest.fixture
def metrics() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "state", shipped=tiny_release(tmp_path / "none"))


@pytest.fixture
def judge(tmp_path: Path, registry: Registry, metrics: CollectorRegistry) -> Judge:
    """One that blocks a quote, with trials of all its clients."""
    judge = make_judge(tmp_path, registry=metrics)

    def build(model: Model) -> Policy:
        return Policy(Thresholds(model.card.operating_points), mode="enforce")

    judge.trials = Trials(registry, "cpu", judge.metrics, judge.journal, build, 100.0)
    return judge


def trials(judge: Judge) -> Trials:
    assert judge.trials is not None
    return judge.trials


def publish(registry: Registry, folder: Path, channel: str, **model: float | Label) -> str:
    release = registry.publish(tiny_release(folder / f"release-{len(model)}-{channel}", **model))
    registry.promote(release, channel)
    return release


async def test_a_canary_decides_for_its_clients_and_the_event_names_it(
    judge: Judge, registry: Registry, tmp_path: Path, metrics: CollectorRegistry
) -> None:
    release = publish(registry, tmp_path, "canary", weight=0.1)
    assert judge.judge(attack, "request").decision.action == "block"
    await trials(judge).follow(judge.scorer.model.release)
    judged = judge.judge(attack, "request")
    assert (judged.decision.action, judged.release) == ("allow", release)
    found = metrics.get_sample_value("sluice_canary_flows_total", {"group": "canary", "action": "allow"})
    assert found == 1
    assert metrics.get_sample_value("sluice_trial_info", {"channel": "canary", "release": release}) == 1


async def test_other_clients_are_the_control_group(
    judge: Judge, registry: Registry, tmp_path: Path, metrics: CollectorRegistry
) -> None:
    publish(registry, tmp_path, "canary", weight=0.1)
    await trials(judge).follow(judge.scorer.model.release)
    trials(judge).percent = 0.0
    assert judge.judge(attack, "request").decision.action == "block"
    assert metrics.get_sample_value("sluice_canary_flows_total", {"group": "control", "action": "block"}) == 1


async def test_a_shadow_decides_nothing_and_is_compared(
    judge: Judge, registry: Registry, tmp_path: Path, metrics: CollectorRegistry
) -> None:
    publish(registry, tmp_path, "shadow", weight=0.1)
    await trials(judge).follow(judge.scorer.model.release)
    assert judge.judge(attack, "request").decision.action == "block"
    assert metrics.get_sample_value("sluice_shadow_flows_total", {"action": "block", "shadow": "allow"}) == 1


async def test_a_shadow_that_fails_harms_nobody(
    judge: Judge, registry: Registry, tmp_path: Path, metrics: CollectorRegistry
) -> None:
    publish(registry, tmp_path, "shadow", nan_on_poison=True)
    await trials(judge).follow(judge.scorer.model.release)
    record = FlowRecord(id="1", client="c", host="a.example", method="GET", path="/?q='" + "~" * 50, time=5.0)
    assert judge.judge(lambda: record, "request").decision.action == "block"
    assert metrics.get_sample_value("sluice_shadow_flows_total", {"action": "block", "shadow": "failed"}) == 1


async def test_behind_a_queue_a_shadow_is_compared_and_nobody_waits_for_it(
    judge: Judge, registry: Registry, tmp_path: Path, metrics: CollectorRegistry
) -> None:
    trials(judge).make = Batching
    publish(registry, tmp_path, "shadow", weight=0.1)
    await trials(judge).follow(judge.scorer.model.release)
    assert judge.judge(attack, "request").decision.action == "block"
    told = {"action": "block", "shadow": "allow"}
    while metrics.get_sample_value("sluice_shadow_flows_total", told) == 0:
        await asyncio.sleep(0.01)
    assert metrics.get_sample_value("sluice_shadow_flows_total", told) == 1
    registry.withdraw("shadow")
    await trials(judge).follow(judge.scorer.model.release)


async def test_the_release_in_service_is_not_tried_against_itself(
    judge: Judge, registry: Registry, tmp_path: Path
) -> None:
    release = publish(registry, tmp_path, "canary", weight=0.1)
    await trials(judge).follow(release)
    assert trials(judge).canary is None


async def test_a_channel_that_moves_or_empties_is_followed(judge: Judge, registry: Registry, tmp_path: Path) -> None:
    first = publish(registry, tmp_path, "canary", weight=0.1)
    second = publish(registry, tmp_path, "shadow", weight=0.2)
    for canary in (first, second):
        registry.promote(canary, "canary")
        await trials(judge).follow("")
        tried = trials(judge).canary
        assert tried is not None and tried.release == canary
    registry.withdraw("canary")
    await trials(judge).follow("")
    assert trials(judge).canary is None


async def test_what_cannot_serve_is_not_tried_and_said_once(
    judge: Judge, registry: Registry, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    release = publish(registry, tmp_path, "canary", weight=0.1)
    (registry.path(release) / "model.onnx").write_bytes(b"torn")
    for _ in range(3):
        await trials(judge).follow("")
    assert trials(judge).canary is None
    assert caplog.text.count("nothing is tried there") == 1


async def test_a_canary_that_blocks_more_is_withdrawn(
    judge: Judge, registry: Registry, tmp_path: Path, metrics: CollectorRegistry
) -> None:
    release = publish(registry, tmp_path, "canary", weight=16.0, label=Label.XSS)
    await trials(judge).follow(judge.scorer.model.release)
    canary = trials(judge).canary
    assert canary is not None
    canary.rest.flows = canary.own.flows = LEAST
    canary.own.blocks = LEAST // 2
    trials(judge).review()
    assert trials(judge).canary is None
    assert registry.followed("canary") is None
    assert metrics.get_sample_value("sluice_canary_withdrawn_total") == 1
    (audit,) = judge.journal.audits()
    assert audit[1] == "canary" and audit[2].startswith(f"{release} withdrawn: blocks: {LEAST // 2} of {LEAST}")


async def test_a_canary_that_somebody_moved_meanwhile_is_left_where_it_is(
    judge: Judge, registry: Registry, tmp_path: Path
) -> None:
    publish(registry, tmp_path, "canary", weight=0.1)
    await trials(judge).follow("")
    canary = trials(judge).canary
    assert canary is not None
    canary.rest.flows = canary.own.flows = canary.own.failures = LEAST
    other = publish(registry, tmp_path, "shadow", weight=0.3)
    registry.promote(other, "canary")
    trials(judge).review()
    assert registry.followed("canary") == other


async def test_a_new_policy_holds_for_trials_too(judge: Judge, registry: Registry, tmp_path: Path) -> None:
    publish(registry, tmp_path, "canary", weight=0.1)
    await trials(judge).follow("")
    canary = trials(judge).canary
    assert canary is not None
    before = canary.policy
    trials(judge).under()
    assert canary.policy is not before

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
from proxy.sentry import Side
from proxy.trials import LOOK, Trials


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

    judge.trials = Trials(registry, "cpu", judge.metrics, judge.journal, build, 100.0, watched=())
    return judge


def trials(judge: Judge) -> Trials:
    assert judge.trials is not None
    return judge.trials


def serving(judge: Judge) -> Side:
    return Side(judge.scorer.model, judge.policy)


async def begin(judge: Judge, serves: str | None = None) -> None:
    """Follow the channels, and let the sentinels speak as the proxy does every second."""
    await trials(judge).follow(judge.scorer.model.release if serves is None else serves)
    trials(judge).review(serving(judge))


def watch(judge: Judge) -> None:
    """Keep an eye on the shipped sentinels."""
    old = trials(judge)
    judge.trials = Trials(old.registry, "cpu", judge.metrics, judge.journal, old.build, 100.0)


def publish(registry: Registry, folder: Path, channel: str, **model: float | Label) -> str:
    release = registry.publish(tiny_release(folder / f"release-{len(model)}-{channel}", **model))
    registry.promote(release, channel)
    return release


async def test_a_canary_decides_for_its_clients_and_the_event_names_it(
    judge: Judge, registry: Registry, tmp_path: Path, metrics: CollectorRegistry
) -> None:
    release = publish(registry, tmp_path, "canary", weight=0.1)
    assert judge.judge(attack, "request").decision.action == "block"
    await begin(judge)
    judged = judge.judge(attack, "request")
    assert (judged.decision.action, judged.release) == ("allow", release)
    found = metrics.get_sample_value("sluice_canary_flows_total", {"group": "canary", "action": "allow"})
    assert found == 1
    assert metrics.get_sample_value("sluice_trial_info", {"channel": "canary", "release": release}) == 1


async def test_other_clients_are_the_control_group(
    judge: Judge, registry: Registry, tmp_path: Path, metrics: CollectorRegistry
) -> None:
    publish(registry, tmp_path, "canary", weight=0.1)
    await begin(judge)
    trials(judge).percent = 0.0
    assert judge.judge(attack, "request").decision.action == "block"
    assert metrics.get_sample_value("sluice_canary_flows_total", {"group": "control", "action": "block"}) == 1


async def test_a_shadow_decides_nothing_and_is_compared(
    judge: Judge, registry: Registry, tmp_path: Path, metrics: CollectorRegistry
) -> None:
    publish(registry, tmp_path, "shadow", weight=0.1)
    await begin(judge)
    assert judge.judge(attack, "request").decision.action == "block"
    assert metrics.get_sample_value("sluice_shadow_flows_total", {"action": "block", "shadow": "allow"}) == 1


async def test_a_shadow_that_fails_harms_nobody(
    judge: Judge, registry: Registry, tmp_path: Path, metrics: CollectorRegistry
) -> None:
    publish(registry, tmp_path, "shadow", nan_on_poison=True)
    await begin(judge)
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
    await begin(judge, release)
    assert trials(judge).canary is None


async def test_a_channel_that_moves_or_empties_is_followed(judge: Judge, registry: Registry, tmp_path: Path) -> None:
    first = publish(registry, tmp_path, "canary", weight=0.1)
    second = publish(registry, tmp_path, "shadow", weight=0.2)
    for canary in (first, second):
        registry.promote(canary, "canary")
        await begin(judge, "")
        tried = trials(judge).canary
        assert tried is not None and tried.release == canary
    registry.withdraw("canary")
    await begin(judge, "")
    assert trials(judge).canary is None


async def test_what_cannot_serve_is_not_tried_and_said_once(
    judge: Judge, registry: Registry, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    release = publish(registry, tmp_path, "canary", weight=0.1)
    (registry.path(release) / "model.onnx").write_bytes(b"torn")
    for _ in range(3):
        await begin(judge, "")
    assert trials(judge).canary is None
    assert caplog.text.count("nothing is tried there") == 1


async def test_a_canary_that_blocks_more_is_withdrawn(
    judge: Judge, registry: Registry, tmp_path: Path, metrics: CollectorRegistry
) -> None:
    release = publish(registry, tmp_path, "canary", weight=16.0, label=Label.XSS)
    await begin(judge)
    canary = trials(judge).canary
    assert canary is not None
    canary.rest.flows = canary.own.flows = LEAST
    canary.own.blocks = LEAST // 2
    trials(judge).review(serving(judge))
    assert trials(judge).canary is None
    assert registry.followed("canary") is None
    assert metrics.get_sample_value("sluice_canary_withdrawn_total") == 1
    (audit,) = judge.journal.audits()
    assert audit[1] == "canary" and audit[2].startswith(f"{release} withdrawn: blocks: {LEAST // 2} of {LEAST}")


async def test_a_canary_that_somebody_moved_meanwhile_is_left_where_it_is(
    judge: Judge, registry: Registry, tmp_path: Path
) -> None:
    publish(registry, tmp_path, "canary", weight=0.1)
    await begin(judge, "")
    canary = trials(judge).canary
    assert canary is not None
    canary.rest.flows = canary.own.flows = canary.own.failures = LEAST
    other = publish(registry, tmp_path, "shadow", weight=0.3)
    registry.promote(other, "canary")
    trials(judge).review(serving(judge))
    assert registry.followed("canary") == other


@pytest.mark.parametrize("channel", ["canary", "shadow"])
async def test_what_misses_a_sentinel_that_the_release_in_service_catches_is_withdrawn_before_it_decides(
    judge: Judge, registry: Registry, tmp_path: Path, metrics: CollectorRegistry, channel: str
) -> None:
    release = publish(registry, tmp_path, channel, weight=0.1)
    watch(judge)
    await trials(judge).follow(judge.scorer.model.release)
    assert judge.judge(attack, "request").release == judge.scorer.model.release
    trials(judge).review(serving(judge))
    assert registry.followed(channel) is None and trials(judge).canary is trials(judge).shadow is None
    assert metrics.get_sample_value("sluice_canary_withdrawn_total") == 1
    (audit,) = judge.journal.audits()
    assert audit[1] == channel and audit[2].startswith(f"{release} withdrawn: misses ") and "sentinel:" in audit[2]


async def test_what_catches_the_sentinels_decides_and_is_asked_again_when_it_is_time(
    judge: Judge, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = publish(registry, tmp_path, "canary", weight=17.0)
    watch(judge)
    await begin(judge)
    assert judge.judge(attack, "request").release == release
    canary = trials(judge).canary
    assert canary is not None
    canary.scorer.swap(registry.load(publish(registry, tmp_path, "other", weight=0.1, label=Label.XSS), "cpu"))
    trials(judge).review(serving(judge))
    assert trials(judge).canary is canary, "asked a moment ago"
    canary.looked -= LOOK
    trials(judge).review(serving(judge))
    assert trials(judge).canary is None


async def test_a_new_policy_asks_the_sentinels_again(judge: Judge, registry: Registry, tmp_path: Path) -> None:
    publish(registry, tmp_path, "canary", weight=17.0)
    watch(judge)
    await begin(judge)
    canary = trials(judge).canary
    assert canary is not None
    canary.policy = Policy(Thresholds({}))
    trials(judge).review(serving(judge))
    assert registry.followed("canary") is None


async def test_only_one_worker_says_that_a_trial_was_withdrawn(
    judge: Judge, registry: Registry, tmp_path: Path, metrics: CollectorRegistry
) -> None:
    publish(registry, tmp_path, "canary", weight=0.1)
    workers = []
    for _ in range(2):
        watch(judge)
        workers.append(trials(judge))
        await trials(judge).follow(judge.scorer.model.release)
    for worker in workers:
        worker.review(serving(judge))
        assert worker.canary is None
    assert metrics.get_sample_value("sluice_canary_withdrawn_total") == 1
    assert len(judge.journal.audits()) == 1


async def test_a_new_policy_holds_for_trials_too(judge: Judge, registry: Registry, tmp_path: Path) -> None:
    publish(registry, tmp_path, "canary", weight=0.1)
    await begin(judge, "")
    canary = trials(judge).canary
    assert canary is not None
    before = canary.policy
    trials(judge).under()
    assert canary.policy is not before

"""Releases on trial, and how they do."""

from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from classifier.errors import UserError
from consoles import make_console
from models import tiny_release
from proxy.console import rollouts
from proxy.console.context import Console
from proxy.console.rollouts import Group
from proxy.console.status import Status
from proxy.metrics import Metrics


def test_the_counts_are_those_of_the_metrics(status: Status) -> None:
    status.registry = CollectorRegistry()
    metrics = Metrics(status.registry)
    metrics.shadowed("allow", "allow")
    metrics.shadowed("allow", "block")
    metrics.shadowed("block", "failed")
    metrics.tried("canary", "block")
    metrics.tried("canary", "allow")
    metrics.tried("control", "flag")
    metrics.withdrawn.inc()
    canary, shadow = rollouts.every(make_console(status))
    assert canary.own == Group(decisions=2, blocked=1) and canary.rest == Group(decisions=1, flagged=1)
    assert canary.withdrawn == 1
    assert (shadow.same, shadow.stricter, shadow.milder, shadow.failed) == (1, 1, 0, 1)


@pytest.mark.parametrize(
    ("action", "other", "said"),
    [
        ("allow", "allow", "same"),
        ("allow", "flag", "stricter"),
        ("flag", "block", "stricter"),
        ("block", "allow", "milder"),
        ("block", "failed", "failed"),
    ],
)
def test_a_shadow_agrees_or_is_stricter_or_milder(action: str, other: str, said: str) -> None:
    assert rollouts._compared(action, other) == said


async def test_a_trial_begins_and_ends(console: Console, tmp_path: Path) -> None:
    other = console.registry.publish(tiny_release(tmp_path / "other", weight=8.0))
    await rollouts.begin(console, other, "canary")
    canary, shadow = rollouts.every(console)
    assert (canary.release, bool(canary.since), canary.own) == (other, True, Group())
    assert shadow.release == ""
    assert await rollouts.end(console, "canary") == other
    assert rollouts.every(console)[0].release == ""


@pytest.mark.parametrize(
    ("release", "channel", "said"), [("", "canary", "in service"), ("x", "stable", "no trial"), ("x", "canary", "x")]
)
async def test_what_cannot_be_tried_is_refused(console: Console, release: str, channel: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        await rollouts.begin(console, release or console.status.release, channel)


@pytest.mark.parametrize("channel", ["stable", "shadow"])
async def test_what_is_not_tried_cannot_be_ended(console: Console, channel: str) -> None:
    with pytest.raises(UserError):
        await rollouts.end(console, channel)

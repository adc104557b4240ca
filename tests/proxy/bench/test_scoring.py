"""Whether everything was scored, by the proxy's own metrics."""

import dataclasses

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from classifier.errors import UserError
from classifier.records import Label
from proxy.bench import scoring
from proxy.bench.scoring import Scoring
from proxy.metrics import Metrics
from proxy.policy import Decision

GOOD = Scoring("new", "CPUExecutionProvider", requests=10, responses=10, flagged=0, failures=0, dropped=0)


def test_the_metrics_are_read_as_the_proxy_writes_them() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    metrics.serving("old", "CPUExecutionProvider")
    metrics.serving("new", "CPUExecutionProvider")
    for phase, action in (("request", "allow"), ("request", "flag"), ("response", "allow"), ("connect", "block")):
        metrics.decided(phase, Decision(action, False, "", Label.BENIGN))  # type: ignore[arg-type]
    metrics.failed("nan")
    metrics.capture_dropped.inc(3)
    read = scoring.parse(generate_latest(registry).decode())
    assert read == Scoring("new", "CPUExecutionProvider", requests=2, responses=1, flagged=2, failures=1, dropped=3)


def test_what_was_scored_passes() -> None:
    scoring.check(GOOD, 10)


@pytest.mark.parametrize("bad", [{"requests": 9}, {"responses": 7}, {"failures": 2}], ids=str)
def test_what_was_not_scored_is_no_figure(bad: dict[str, int]) -> None:
    with pytest.raises(UserError, match="of 10 flows were not scored") as raised:
        scoring.check(dataclasses.replace(GOOD, **bad), 10)  # type: ignore[arg-type]
    assert raised.value.exit_code == 1

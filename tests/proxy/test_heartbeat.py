"""The heartbeat over a real proxy: quiet while the shipped release judges, loud when it judges no longer."""

import asyncio
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from classifier.journal import Journal
from harness import Proxy, free_port, publish, run_proxy
from proxy.heartbeat import SENTINELS, Heartbeat, answer, objection, request
from proxy.metrics import Metrics
from proxy.rehearsal import Rehearsal, Told
from proxy.tickets import key
from proxy.values import Address

EVERY = '[proxy]\nheartbeat = "1s"\n'
ALLOWED = Told("allow", False, "", "below every threshold")


def made(proxy: Proxy, registry: CollectorRegistry, *, port: int = 0, secret: bytes = b"") -> Heartbeat:
    """A heartbeat of our own for a running proxy."""
    listen = Address("0.0.0.0", port or int(proxy.url.rpartition(":")[2]))
    return Heartbeat(listen, proxy.ca, Rehearsal(secret or key(proxy.state / "keys")), Metrics(registry), 1.0)


@pytest.mark.parametrize("mode", ["monitor", "enforce"])
def test_the_shipped_release_misses_no_sentinel_and_keeps_none(tmp_path: Path, mode: str) -> None:
    with run_proxy(tmp_path, config=EVERY, mode=mode, shipped=True) as proxy:
        proxy.wait_metric("sluice_heartbeat_total", 2, result="ok")
        assert proxy.metric("sluice_heartbeat_total", result="missed") == 0
        assert proxy.metric("sluice_heartbeat_timestamp_seconds") > 1e9
        assert proxy.metric("sluice_score_seconds_count") >= 2 * len(SENTINELS), "the model was really asked"
        for name in ("sluice_flows_total", "sluice_flows_closed_total", "sluice_capture_written_total"):
            assert proxy.metric(name) == 0, name
    assert Journal(proxy.state / "sluice.db").events() == []
    assert list((proxy.state / "captures").rglob("*.parquet")) == []


def test_a_release_that_sees_nothing_is_noticed(tmp_path: Path) -> None:
    with run_proxy(tmp_path, config=EVERY, shipped=True) as proxy:
        proxy.wait_metric("sluice_heartbeat_total", 1, result="ok")
        publish(proxy.state, tmp_path / "blind")
        proxy.wait_metric("sluice_heartbeat_total", 1, result="missed")
        assert "heartbeat missed: sqli: allowed" in proxy.log()


@pytest.mark.parametrize(
    ("port", "secret", "problem"),
    [(0, b"", "allowed"), (1, b"", "not answered"), (0, b"x" * 32, "not judged")],
    ids=["a model that sees nothing", "nobody listens", "another proxy's signature"],
)
async def test_what_may_be_wrong_is_said(enforcing: Proxy, port: int, secret: bytes, problem: str) -> None:
    registry = CollectorRegistry()
    problems = await made(enforcing, registry, port=port and free_port(), secret=secret).beat()
    assert len(problems) == len(SENTINELS)
    assert all(problem in said for said in problems), problems
    assert registry.get_sample_value("sluice_heartbeat_total", {"result": "missed"}) == 1


async def test_no_interval_no_heartbeat(enforcing: Proxy) -> None:
    registry = CollectorRegistry()
    heartbeat = made(enforcing, registry)
    heartbeat.interval = 0.0
    await asyncio.wait_for(heartbeat.run(), 5)
    assert registry.get_sample_value("sluice_heartbeat_total", {"result": "missed"}) == 0


@pytest.mark.parametrize(
    ("status", "told", "problem"),
    [
        (403, Told("block", True, "sqli"), ""),
        (200, Told("block", False, "sqli"), ""),
        (200, Told("flag", False, "sqli"), ""),
        (200, ALLOWED, "allowed (below every threshold)"),
        (200, Told("block", True, "sqli"), "blocked, and answered 200 all the same"),
        (404, Told(), "answered 404 and was not judged"),
    ],
)
def test_a_sentinel_must_be_caught_and_where_enforced_stopped(status: int, told: Told, problem: str) -> None:
    assert objection(status, told) == problem


def test_no_two_requests_are_alike() -> None:
    for sentinel in SENTINELS:
        assert len({request(sentinel, "", secure=False) for _ in range(8)}) > 1, sentinel


def test_every_sentinel_is_of_a_label_of_its_own() -> None:
    assert len({sentinel.label for sentinel in SENTINELS}) == len(SENTINELS)


def test_an_answer_that_is_no_http_is_an_error() -> None:
    assert answer(b"HTTP/1.1 204 No Content\r\n\r\n") == (204, Told())
    with pytest.raises(ValueError, match="invalid literal"):
        answer(b"SSH-2.0\r\n\r\n")

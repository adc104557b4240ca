import logging
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from classifier.records import FlowRecord
from classifier.store import CaptureRow, CaptureWriter
from inside import make_judge
from proxy.console.status import Status
from proxy.judge import Judge
from proxy.pins import Key, Limits, Pins
from proxy.policy import Exemption, Match
from proxy.upkeep import Upkeep


def made(folder: Path, judge: Judge, *, pins: Pins | None = None) -> Upkeep:
    captures = CaptureWriter(folder / "captures", worker="0", max_age=1e6, max_bytes=10**9)
    registry = CollectorRegistry()
    status = Status(ca=folder / "ca.pem", mode="monitor", registry=registry, state=folder, home=folder)
    return Upkeep(captures, judge.metrics, status, judge, pins)


def test_the_writers_counts_become_metrics_once(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    judge = make_judge(tmp_path, registry=registry)
    upkeep = made(tmp_path, judge)
    upkeep.captures.offer(CaptureRow(record=FlowRecord(id="1")))
    upkeep.captures.close()
    assert not upkeep.captures.offer(CaptureRow(record=FlowRecord(id="2")))
    for _ in range(3):
        upkeep.step()
    assert registry.get_sample_value("sluice_capture_written_total") == 1
    assert registry.get_sample_value("sluice_capture_dropped_total") == 1
    assert registry.get_sample_value("sluice_capture_queue_rows") == 0
    assert upkeep.status.release == judge.scorer.model.release


def test_pinned_servers_are_counted(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    judge = make_judge(tmp_path, registry=registry)
    pins = Pins(judge.journal, Limits(failures=1))
    pins.refused(Key("api.example", "t13d"))
    upkeep = made(tmp_path, judge, pins=pins)
    upkeep.step()
    upkeep.captures.close()
    assert registry.get_sample_value("sluice_pinned_servers") == 1


async def test_exceptions_are_reviewed_once_a_policy(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    registry = CollectorRegistry()
    judge = make_judge(tmp_path, registry=registry, exemptions=[Exemption("e", Match(), "ops", "why")])
    upkeep = made(tmp_path, judge)
    await upkeep.tend()
    judge.journal.write("insert into samples values ('e', 'd', 1.0, '{\"path\": \"/calm\"}')")
    with caplog.at_level(logging.WARNING):
        await upkeep.tend()
        assert registry.get_sample_value("sluice_exceptions_unneeded") == 0, "nothing has changed"
        judge.policy = make_judge(tmp_path, exemptions=judge.policy.exemptions).policy
        await upkeep.tend()
    upkeep.captures.close()
    assert registry.get_sample_value("sluice_exceptions_unneeded") == 1
    assert "exception 'e' is no longer needed" in caplog.text

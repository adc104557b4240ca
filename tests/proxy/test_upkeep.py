from pathlib import Path

from prometheus_client import CollectorRegistry

from classifier.records import FlowRecord
from classifier.store import CaptureRow, CaptureWriter
from inside import make_judge
from proxy.admin import Status
from proxy.upkeep import Upkeep


def test_the_writers_counts_become_metrics_once(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    judge = make_judge(tmp_path, registry=registry)
    captures = CaptureWriter(tmp_path / "captures", worker="0", max_age=1e6, max_bytes=10**9)
    status = Status(ca=tmp_path / "ca.pem", mode="monitor", registry=registry)
    upkeep = Upkeep(captures, judge.metrics, status, judge)
    captures.offer(CaptureRow(record=FlowRecord(id="1")))
    captures.close()
    assert not captures.offer(CaptureRow(record=FlowRecord(id="2")))
    for _ in range(3):
        upkeep.step()
    assert registry.get_sample_value("sluice_capture_written_total") == 1
    assert registry.get_sample_value("sluice_capture_dropped_total") == 1
    assert registry.get_sample_value("sluice_capture_queue_rows") == 0
    assert status.release == judge.scorer.model.release

"""Different clients are counted once, by time; what cannot be read does not count."""

import time
from pathlib import Path

from classifier.records import FlowRecord
from classifier.store import CaptureRow, CaptureWriter
from finetune.crowd import clients


def test_each_client_counts_once_and_old_ones_do_not(tmp_path: Path) -> None:
    writer = CaptureWriter(tmp_path, worker="0", max_age=1e12, max_bytes=10**9)
    now = time.time()
    for number in range(30):
        moment = now if number < 20 else now - 1000.0
        assert writer.offer(CaptureRow(record=FlowRecord(id=str(number), client=f"10.0.0.{number % 25}", time=moment)))
    assert writer.offer(CaptureRow(record=FlowRecord(id="x", time=now)))
    writer.close()
    (tmp_path / "date=2026-01-01" / "proxy=0").mkdir(parents=True)
    (tmp_path / "date=2026-01-01" / "proxy=0" / "torn.parquet").write_bytes(b"PAR1")
    assert clients(tmp_path, now - 500.0) == 20
    assert clients(tmp_path, now - 5000.0) == 25
    assert clients(tmp_path / "none", 0.0) == 0

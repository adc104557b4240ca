"""Files of the capture store: who may touch them, what is left after a failure, what goes first."""

import os
import time
from pathlib import Path

import pyarrow as pa
import pytest

from classifier.records import FlowRecord
from classifier.rows import CaptureRow, encode
from classifier.segments import Stream, batches, private, recover, retain

DAY = 86_400.0


def rows(*names: str) -> pa.RecordBatch:
    return encode([CaptureRow(record=FlowRecord(id=name)) for name in names])


def stream(root: Path) -> Stream:
    return Stream(root / "date=2026-01-01" / "proxy=w1")


def ids(path: Path) -> list[str]:
    return [name for batch in batches(path, ["id"]) for name in batch.column("id").to_pylist()]


def test_a_stream_in_use_is_not_recovered(tmp_path: Path) -> None:
    stream = Stream(tmp_path / "date=2026-01-01" / "proxy=w1")
    stream.append(rows("a"))
    assert recover(tmp_path) == 0
    assert stream.path.exists()
    stream.seal()
    assert [path.suffix for path in stream.path.parent.iterdir()] == [".parquet"]


def test_the_oldest_files_go_by_age_and_by_size(tmp_path: Path) -> None:
    now = time.time()
    paths: list[Path] = []
    for age in (0, 10, 20, 3 * DAY):
        folder = tmp_path / f"date=2026-01-0{len(paths) + 1}" / "proxy=w1"
        folder.mkdir(parents=True)
        paths.append(folder / "x.parquet")
        paths[-1].write_bytes(bytes(1000))
        os.utime(paths[-1], (now - age, now - age))
    assert retain(tmp_path, max_age=DAY, max_bytes=10_000) == 1
    assert not paths[3].parent.parent.exists()
    assert retain(tmp_path, max_age=DAY, max_bytes=1500) == 2
    assert [path.exists() for path in paths] == [True, False, False, False]


def test_sealing_keeps_rows_and_order(tmp_path: Path) -> None:
    made = stream(tmp_path)
    made.append(rows("a", "b"))
    made.append(rows("c"))
    made.flush()
    assert ids(made.path) == ["a", "b", "c"]
    made.seal()
    assert ids(made.path.with_suffix(".parquet")) == ["a", "b", "c"]
    assert not made.path.exists()


def test_recovering_keeps_the_time_of_the_last_row(tmp_path: Path) -> None:
    made = stream(tmp_path)
    made.append(rows("a"))
    made.abandon()
    os.utime(made.path, (1e9, 1e9))
    assert recover(tmp_path) == 1
    assert made.path.with_suffix(".parquet").stat().st_mtime == 1e9


def test_a_stream_without_rows_leaves_nothing(tmp_path: Path) -> None:
    for end in (Stream.seal, Stream.abandon):
        made = stream(tmp_path)
        end(made)
        assert not list(made.path.parent.iterdir())


def test_a_stream_killed_at_its_start_is_cleared_away(tmp_path: Path) -> None:
    folder = tmp_path / "date=2026-01-01" / "proxy=w1"
    private(folder)
    (folder / "x.arrows").touch()
    assert ids(folder / "x.arrows") == []
    recover(tmp_path)
    assert not list(folder.iterdir())


def test_a_draft_left_by_a_crash_is_overwritten(tmp_path: Path) -> None:
    made = stream(tmp_path)
    made.append(rows("a"))
    made.path.with_suffix(".parquet.tmp").write_bytes(b"half")
    made.seal()
    assert ids(made.path.with_suffix(".parquet")) == ["a"]
    assert len(list(made.path.parent.iterdir())) == 1


def test_a_stream_that_is_none_stays_where_it_is(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "date=2026-01-01" / "proxy=w1"
    private(folder)
    (folder / "x.arrows").write_bytes(b"not a stream")
    assert recover(tmp_path) == 0
    assert "cannot be sealed" in caplog.text
    assert (folder / "x.arrows").exists()

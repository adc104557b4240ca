"""The capture store: what is offered is read back, whatever dies in between."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from classifier.errors import UserError
from classifier.records import LABELS, FlowRecord, Label, Phase, Verdict
from classifier.rows import CaptureRow, encode
from classifier.segments import Stream, recover
from classifier.store import CaptureWriter, read

DAY = 86_400.0


def row(name: str, phase: Phase = "request", time: float = 1.0, **fields: object) -> CaptureRow:
    return CaptureRow(record=FlowRecord(id=name, phase=phase, time=time, **fields))  # type: ignore[arg-type]


def full() -> CaptureRow:
    scores = dict.fromkeys(LABELS, 0.0) | {Label.SQLI: 0.75, Label.BENIGN: 0.25}
    record = FlowRecord(
        id="f1",
        phase="response",
        time=1.5,
        client="192.0.2.1",
        host="shop.example",
        port=443,
        alpn=("h2", "http/1.1"),
        method="POST",
        path="/a?b=c",
        request_headers=(("accept", "*/*"), ("x", "ü")),
        request_body=b"\x00\xff",
        status=200,
        response_body=b"ok",
        bytes_down=2**40,
        answers=("192.0.2.7",),
        direction="up",
        label=Label.SQLI,
    )
    verdict = Verdict(label=Label.SQLI, threat=0.75, scores=scores, model="m1")
    return CaptureRow(
        record=record,
        numbers=[0.5, -1.0],
        schema="abc",
        verdicts={"request": verdict, "response": verdict},
        action="block",
        enforced=True,
        event="e1",
        release="m1",
    )


def writer(root: Path, **options: object) -> CaptureWriter:
    return CaptureWriter(root, **{"worker": "w1", "max_age": DAY, "max_bytes": 10**9} | options)  # type: ignore[arg-type]


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def test_every_field_survives(tmp_path: Path) -> None:
    captures = writer(tmp_path)
    assert captures.offer(full())
    captures.close()
    assert list(read(tmp_path)) == [full()]
    (path,) = tmp_path.glob("date=*/proxy=w1/*.parquet")
    assert pq.read_table(path).column("request_threat").to_pylist() == [0.75]


def test_files_are_private(tmp_path: Path) -> None:
    captures = writer(tmp_path / "state" / "captures")
    captures.offer(full())
    captures.close()
    made = [path for path in tmp_path.rglob("*")]
    assert {path.stat().st_mode & 0o777 for path in made if path.is_dir()} == {0o700}
    assert {path.stat().st_mode & 0o777 for path in made if path.is_file()} == {0o600}


def test_rows_are_sealed_by_count(tmp_path: Path) -> None:
    captures = writer(tmp_path, rows=100)
    for number in range(250):
        captures.offer(row(str(number)))
    captures.close()
    sizes = sorted(pq.read_metadata(path).num_rows for path in tmp_path.glob("*/*/*.parquet"))
    assert sizes == [50, 100, 100]
    assert {r.record.id for r in read(tmp_path)} == {str(number) for number in range(250)}


def test_rows_are_readable_before_they_are_sealed(tmp_path: Path) -> None:
    captures = writer(tmp_path)
    captures.offer(row("live"))
    until(lambda: any(read(tmp_path)))
    assert list(tmp_path.glob("*/*/*.arrows"))
    captures.close()


def test_a_full_queue_drops_and_counts(tmp_path: Path) -> None:
    captures = writer(tmp_path, queue=3)
    taken = [captures.offer(row(str(number))) for number in range(50)]
    captures.close()
    assert captures.dropped == taken.count(False) > 0
    assert captures.written == taken.count(True) == len(list(read(tmp_path)))
    assert not captures.offer(row("late"))


def test_an_unfit_row_costs_only_itself(tmp_path: Path) -> None:
    captures = writer(tmp_path)
    for name, port in (("a", 1), ("b", 2**40), ("c", 3)):
        captures.offer(row(name, port=port))
    captures.close()
    assert [r.record.id for r in read(tmp_path)] == ["a", "c"]
    assert captures.errors == 1


def test_a_flow_is_read_once_at_its_last_phase(tmp_path: Path) -> None:
    for worker, rows in (
        ("w1", [row("a", "response", 2.0), row("b", "connect"), row("", "request")]),
        ("w2", [row("a", "request", 1.0), row("b", "request"), row("", "request")]),
    ):
        captures = writer(tmp_path, worker=worker)
        for each in rows:
            captures.offer(each)
        captures.close()
    found = sorted((r.record.id, r.record.phase) for r in read(tmp_path))
    assert found == [("", "request"), ("", "request"), ("a", "response"), ("b", "request")]


def test_older_flows_are_left_out(tmp_path: Path) -> None:
    now = time.time()
    captures = writer(tmp_path)
    captures.offer(row("old", time=now - 60))
    captures.offer(row("new", time=now))
    captures.close()
    assert [r.record.id for r in read(tmp_path, since=now - 30)] == ["new"]
    assert not list(read(tmp_path, since=now + 3 * DAY))


KILLED = """
import sys, time
from pathlib import Path
from classifier.store import CaptureWriter, CaptureRow
from classifier.records import FlowRecord
writer = CaptureWriter(Path(sys.argv[1]), worker="doomed", max_age=1e6, max_bytes=10**9)
number = 0
while True:
    writer.offer(CaptureRow(record=FlowRecord(id=str(number), time=time.time())))
    number += 1
    print(time.time(), number, flush=True)
    time.sleep(0.002)
"""


def test_kill_loses_at_most_the_last_second(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(1200)]
    process.send_signal(signal.SIGKILL)
    lines += process.stdout.readlines()
    process.wait()
    offered = [float(line.split()[0]) for line in lines if line.endswith("\n")]
    due = sum(moment < offered[-1] - 1.0 for moment in offered)
    assert due > 100
    # Both before anybody sealed what is left, and after.
    assert {str(number) for number in range(due)} <= {r.record.id for r in read(tmp_path)}
    assert recover(tmp_path) == 1
    assert not list(tmp_path.rglob("*.arrows"))
    assert {str(number) for number in range(due)} <= {r.record.id for r in read(tmp_path)}


def test_a_torn_stream_loses_only_its_tail(tmp_path: Path) -> None:
    stream = Stream(tmp_path / "date=2026-01-01" / "proxy=w1")
    whole = 0
    for number in range(3):
        whole = stream.size if number == 2 else whole
        stream.append(encode([row(str(number))]))
    stream.abandon()
    for cut in (stream.path.stat().st_size - 7, whole + 1):
        os.truncate(stream.path, cut)
        assert [r.record.id for r in read(tmp_path)] == ["0", "1"]
    recover(tmp_path)
    assert [r.record.id for r in read(tmp_path)] == ["0", "1"]


def test_a_start_seals_what_the_dead_left(tmp_path: Path) -> None:
    stream = Stream(tmp_path / "date=2026-01-01" / "proxy=dead")
    stream.append(encode([row("a")]))
    stream.abandon()
    writer(tmp_path).close()
    assert stream.path.with_suffix(".parquet").exists() and not stream.path.exists()


def test_a_kill_between_naming_and_removing_leaves_no_double(tmp_path: Path) -> None:
    stream = Stream(tmp_path / "date=2026-01-01" / "proxy=dead")
    stream.append(encode([row("")]))
    copy = stream.path.read_bytes()
    stream.seal()
    stream.path.write_bytes(copy)
    assert len(list(read(tmp_path))) == 1
    recover(tmp_path)
    assert len(list(read(tmp_path))) == 1


def test_an_unreadable_file_is_named_and_skipped(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    captures = writer(tmp_path)
    captures.offer(row("good"))
    captures.close()
    folder = next(tmp_path.glob("*/*"))
    for name in ("bad.parquet", "bad.arrows", "empty.parquet"):
        (folder / name).write_bytes(b"" if name.startswith("empty") else b"PAR1 not really")
    unreadable: list[Path] = []
    assert [r.record.id for r in read(tmp_path, unreadable=unreadable)] == ["good"]
    assert {path.name for path in unreadable} == {"bad.parquet", "empty.parquet"}
    assert len([r for r in caplog.records if "cannot be read" in r.message]) == 2
    writer(tmp_path).close()  # nor does it keep a writer from starting


def test_columns_of_another_version_are_taken_where_known(tmp_path: Path) -> None:
    table = pa.table({"id": ["a"], "phase": ["request"], "time": [1.0], "novel": [1]})
    pq.write_table(table, tmp_path / "x.parquet")
    assert list(read([tmp_path / "x.parquet"])) == [row("a")]


def test_a_writer_keeps_within_its_bytes(tmp_path: Path) -> None:
    captures = writer(tmp_path, max_bytes=400_000)
    for number in range(400):
        captures.offer(row(str(number), request_body=os.urandom(8000)))
    captures.close()
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.parquet")) <= 400_000
    kept = {int(r.record.id) for r in read(tmp_path)}
    assert kept and 399 in kept and 0 not in kept


def test_a_failing_disk_is_counted_and_survived(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    captures = writer(tmp_path)
    blocker = tmp_path / f"date={time.strftime('%Y-%m-%d', time.gmtime())}"
    blocker.write_bytes(b"")  # a file where the directory must go: even root cannot write there
    captures.offer(row("lost"))
    until(lambda: captures.errors == 1)
    captures.offer(row("lost too"))
    until(lambda: captures.errors == 2)
    assert len([r for r in caplog.records if "cannot be written" in r.message]) == 1
    blocker.unlink()
    captures.offer(row("kept"))
    captures.close()
    assert [r.record.id for r in read(tmp_path)] == ["kept"]


def test_a_root_that_cannot_be_written_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UserError, match="cannot write captures"):
        writer(tmp_path / "file" / "captures")

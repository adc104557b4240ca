from pathlib import Path

import pytest

from classifier.errors import UserError
from classifier.records import FlowRecord, Label, to_json
from classifier.store import CaptureRow, CaptureWriter
from finetune import flows


def write(path: Path, *records: FlowRecord) -> Path:
    path.write_bytes(b"\n".join(to_json(record) for record in records) + b"\n")
    return path


def capture(state: Path, *rows: CaptureRow) -> None:
    writer = CaptureWriter(state / "captures", worker="0", max_age=1e12, max_bytes=10**9)
    assert all(writer.offer(row) for row in rows)
    writer.close()


def test_files_give_masked_records_and_name_bad_lines(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", FlowRecord(id="a", method="GET", path="/?password=hunter2secret"))
    with path.open("a") as file:
        file.write('{"id": "b", "ho\n')
    records, bad = flows.read([path], ())
    assert [record.id for record in records] == ["a"]
    assert "hunter2secret" not in records[0].path
    assert [line.where for line in bad] == [f"{path}:2"]


def test_captures_are_read_with_the_flow_of_each_event(tmp_path: Path) -> None:
    capture(
        tmp_path, CaptureRow(record=FlowRecord(id="a", host="h"), event="e1"), CaptureRow(record=FlowRecord(id="b"))
    )
    records, events = flows.captured(tmp_path, ())
    assert {record.id for record in records} == {"a", "b"}
    assert events == {"e1": "a"}
    assert {record.id for record in flows.read([tmp_path / "captures"], ())[0]} == {"a", "b"}


def test_of_many_captures_the_newest_and_the_labelled_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flows, "LIMIT", 2)
    capture(tmp_path, *(CaptureRow(record=FlowRecord(id=name), event=f"event-{name}") for name in "abcde"))
    records, _ = flows.captured(tmp_path, {"a", "event-b"})
    assert [record.id for record in records] == ["a", "b", "d", "e"]


def test_of_long_files_the_newest_are_kept_and_as_many_that_are_labelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(flows, "LIMIT", 2)
    moments = {"a": 5.0, "b": 1.0, "c": 4.0, "d": 2.0}
    plain = [FlowRecord(id=name, host="h", time=time) for name, time in moments.items()]
    said = [FlowRecord(id=f"l{name}", host="h", time=time, label=Label.BENIGN) for name, time in moments.items()]
    records, _ = flows.read([write(tmp_path / "a.jsonl", *plain), write(tmp_path / "b.jsonl", *said)], {"b"})
    assert [record.id for record in records] == ["la", "lc", "a", "c"]
    assert "3 of 5 labelled flows are left out, the oldest" in capsys.readouterr().err


def test_long_flows_count_for_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flows, "BYTES", 5000)
    found = [FlowRecord(id=str(n), host="h", time=float(n), request_body=b"x" * 2000) for n in range(6)]
    records, _ = flows.read([write(tmp_path / "a.jsonl", *found)], ())
    assert [record.id for record in records] == ["4", "5"]


@pytest.mark.parametrize("content", ["", "not json\n"])
def test_a_file_without_a_flow_is_a_user_error(tmp_path: Path, content: str) -> None:
    path = tmp_path / "empty.jsonl"
    path.write_text(content)
    with pytest.raises(UserError, match="no flow in"):
        flows.read([path], ())


def test_a_torn_capture_file_is_a_user_error(tmp_path: Path) -> None:
    path = tmp_path / "torn.parquet"
    path.write_bytes(b"PAR1 and no more")
    with pytest.raises(UserError, match=r"torn\.parquet cannot be read"):
        flows.read([path], ())


def test_missing_inputs_are_user_errors(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no captures in"):
        flows.captured(tmp_path, ())
    with pytest.raises(UserError, match="cannot read"):
        flows.read([tmp_path / "none.har"], ())

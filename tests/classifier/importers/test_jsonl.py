"""JSON lines: each line a record or a reason, never an end to the rest."""

import io

from hypothesis import given
from hypothesis import strategies as st

from classifier.importers import BadLine, jsonl
from classifier.records import FlowRecord


def parse(text: str | bytes, first: int = 1) -> list[FlowRecord | BadLine]:
    raw = text.encode() if isinstance(text, str) else text
    return list(jsonl.parse(io.BytesIO(raw), "f.jsonl", first))


def test_ids_default_to_file_and_line() -> None:
    found = parse('{"host":"a"}\n\n \n{"host":"b","id":"own"}\n{"host":"c"}')
    assert [record.id for record in found if isinstance(record, FlowRecord)] == ["f.jsonl:1", "own", "f.jsonl:5"]


def test_a_bad_line_is_named_and_passed_over() -> None:
    found = parse('{"host":"a"}\n{"host":\n[]\n{"port":"x"}\n{"request_body_b64":"*"}\n{"host":"b"}\n')
    assert [each.where for each in found if isinstance(each, BadLine)] == [f"f.jsonl:{n}" for n in (2, 3, 4, 5)]
    assert [each.host for each in found if isinstance(each, FlowRecord)] == ["a", "b"]


def test_lines_of_a_later_chunk_are_numbered_on() -> None:
    assert [record.id for record in parse("{}\n{}\n", first=7) if isinstance(record, FlowRecord)] == [
        "f.jsonl:7",
        "f.jsonl:8",
    ]


def test_windows_files_are_read() -> None:
    (record,) = parse(b'\xef\xbb\xbf{"host":"a"}\r\n')
    assert isinstance(record, FlowRecord) and record.host == "a"


@given(st.binary(max_size=200))
def test_any_bytes_give_records_or_reasons(raw: bytes) -> None:
    assert all(isinstance(each, FlowRecord | BadLine) for each in parse(raw))

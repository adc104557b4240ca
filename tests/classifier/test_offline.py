"""Judging files: chunks in, lines out, in order, on one core or several."""

import json
from pathlib import Path
from typing import Any

import pytest

from classifier.errors import UserError
from classifier.offline import ALONE, CHUNK_BYTES, LINES, Chunk, Judge, Result, Source, chunks, run, source
from classifier.records import LABELS
from models import tiny_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("model") / "model.onnx", nan_on_poison=True)


@pytest.fixture(scope="module")
def judge(model: Path) -> Judge:
    return Judge(Source(model.read_bytes(), "r1"))


def rows(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.lines.splitlines()]


def test_a_line_says_all_there_is_to_say(judge: Judge) -> None:
    (row,) = rows(judge.judge(Chunk("f", 1, [b'{"host":"a.example","path":"/?q=\'"}'])))
    assert list(row) == ["id", "kind", "phase", "label", "threat", "scores", "action", "model"]
    assert set(row["scores"]) == set(LABELS)
    assert (row["id"], row["kind"], row["phase"], row["model"]) == ("f:1", "http", "request", "r1")
    assert (row["label"], row["action"]) == ("sqli", "block")
    assert row["threat"] > 0.99


def test_bad_lines_are_counted_beside_the_good(judge: Judge) -> None:
    result = judge.judge(Chunk("f", 8, [b'{"host":"a"}', b"?", b"", b'{"host":"b"}'], size=40))
    assert [row["id"] for row in rows(result)] == ["f:8", "f:11"]
    assert [bad.where for bad in result.bad] == ["f:9"]
    assert (result.count, result.size) == (3, 40)


def test_a_record_the_model_cannot_judge_costs_only_itself(judge: Judge) -> None:
    result = judge.judge(Chunk("f", 1, [b'{"host":"a"}', b'{"path":"/~~~~~~~~~~~~"}', b'{"host":"b"}']))
    assert [row["id"] for row in rows(result)] == ["f:1", "f:3"]
    assert [bad.where for bad in result.bad] == ["f:2"]


def test_chunks_end_by_lines_and_by_bytes(tmp_path: Path) -> None:
    (tmp_path / "many").write_bytes(b"{}\n" * (LINES + 1))
    (tmp_path / "large").write_bytes((b'{"host":"' + b"a" * (CHUNK_BYTES // 2) + b'"}\n') * 3)
    found = list(chunks([str(tmp_path / "many"), str(tmp_path / "large")]))
    assert [(chunk.first, len(chunk.lines)) for chunk in found] == [(1, LINES), (LINES + 1, 1), (1, 2), (3, 1)]
    assert sum(chunk.size for chunk in found) == sum(path.stat().st_size for path in tmp_path.iterdir())


def test_other_formats_come_as_records(tmp_path: Path) -> None:
    har = {"log": {"entries": [{"request": {"url": "http://a.example/"}}, {}]}}
    (tmp_path / "x.har").write_text(json.dumps(har))
    (chunk,) = chunks([str(tmp_path / "x.har")])
    assert len(chunk.records) == 2 and chunk.size == (tmp_path / "x.har").stat().st_size


def test_several_processes_keep_the_order(model: Path) -> None:
    work = [Chunk("f", 1 + 10 * n, [b'{"host":"a"}'] * 10) for n in range(ALONE + 5)]
    found = list(run(Source(model.read_bytes()), work, processes=2))
    assert [row["id"] for result in found for row in rows(result)] == [f"f:{n}" for n in range(1, 10 * len(work) + 1)]


def test_stopping_early_leaves_no_process_waiting(model: Path) -> None:
    results = run(Source(model.read_bytes()), (Chunk("f", n, [b"{}"]) for n in range(1, 10_000)), processes=2)
    for _ in range(ALONE + 2):
        next(results)
    results.close()  # type: ignore[attr-defined]  # a generator


def test_a_model_is_named_by_file_or_folder(model: Path, tmp_path: Path) -> None:
    assert source(str(model), tmp_path).data == source(str(model.parent), tmp_path).data == model.read_bytes()


@pytest.mark.parametrize("name", ["20260101-0123456789ab", "nonsense"])
def test_an_unknown_model_is_the_users_mistake(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError):
        source(name, tmp_path)


def test_a_folder_without_a_model_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot read the model"):
        source(str(tmp_path), tmp_path)


def test_a_configuration_decides_the_actions(model: Path, tmp_path: Path) -> None:
    config = tmp_path / "sluice.toml"
    config.write_text('[[policy.rules]]\nhost = ["bad.example"]\naction = "block"\n')
    result = Judge(Source(model.read_bytes(), "", config)).judge(Chunk("f", 1, [b'{"host":"bad.example"}', b"{}"]))
    assert [row["action"] for row in rows(result)] == ["block", "allow"]

"""`sluice score`, as a person or a script uses it."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from models import tiny_model

GOOD = b'{"host":"a.example"}\n{"path":"/?q=\'"}\n'


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_model(tmp_path_factory.mktemp("model") / "model.onnx"))


def sluice(folder: Path, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "classifier.cli", "score", *arguments], cwd=folder, input=stdin, capture_output=True
    )


def test_json_lines_come_out_for_every_file(tmp_path: Path, model: str) -> None:
    (tmp_path / "a.jsonl").write_bytes(GOOD)
    (tmp_path / "b.har").write_text(json.dumps({"log": {"entries": [{"request": {"url": "http://a/"}}]}}))
    done = sluice(tmp_path, "a.jsonl", "b.har", "--json", "--model", model)
    assert (done.returncode, done.stderr) == (0, b"")
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == ["a.jsonl:1", "a.jsonl:2", "b.har#1"]


def test_bad_lines_are_named_and_do_not_stop_the_rest(tmp_path: Path, model: str) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"nonsense\n" + GOOD + b"[]\n")
    done = sluice(tmp_path, "a.jsonl", "--json", "--model", model)
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 2
    lines = done.stderr.decode().splitlines()
    assert lines[0].startswith("a.jsonl:1: ") and lines[1].startswith("a.jsonl:4: ")
    assert lines[2] == "sluice: 2 of the inputs could not be judged"


def test_standard_input_is_a_dash(tmp_path: Path, model: str) -> None:
    done = sluice(tmp_path, "-", "--json", "--model", model, stdin=GOOD)
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == ["-:1", "-:2"]


def test_a_table_for_people_without_markup_or_escapes_from_the_data(tmp_path: Path, model: str) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"id":"[red]x[/red]\\u001b[31m","path":"/?q=\'"}\n')
    done = sluice(tmp_path, "a.jsonl", "--model", model)
    shown = done.stdout.decode()
    assert "[red]x[/red]" in shown and "\x1b" not in shown
    assert shown.rstrip().endswith("1 block")


def test_an_empty_file_has_no_flows(tmp_path: Path, model: str) -> None:
    (tmp_path / "a.jsonl").touch()
    done = sluice(tmp_path, "a.jsonl", "--model", model)
    assert (done.returncode, done.stdout) == (0, b"no flows\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["missing.jsonl"], "no such file: missing.jsonl"),
        (["a.jsonl", "--model", "20260101-0123456789ab"], "20260101-0123456789ab"),
        (["a.jsonl", "--model", "a.jsonl"], "a.jsonl"),
        (["a.jsonl", "--config", "missing.toml"], "missing.toml"),
    ],
)
def test_mistakes_are_one_line(tmp_path: Path, model: str, arguments: list[str], said: str) -> None:
    (tmp_path / "a.jsonl").write_bytes(GOOD)
    done = sluice(tmp_path, *(arguments if "--model" in arguments else [*arguments, "--model", model]))
    assert done.returncode in (2, 3)
    assert done.stdout == b""
    assert done.stderr.decode().startswith("sluice: ") and len(done.stderr.splitlines()) == 1
    assert said == "a.jsonl" or said in done.stderr.decode()


def test_a_bar_moves_only_where_somebody_watches(tmp_path: Path, model: str) -> None:
    (tmp_path / "a.jsonl").write_bytes(GOOD)
    near, far = pty.openpty()
    with os.fdopen(near, "rb", buffering=0) as terminal:
        done = subprocess.run(
            [sys.executable, "-m", "classifier.cli", "score", "a.jsonl", "--json", "--model", model],
            cwd=tmp_path, stdout=subprocess.PIPE, stderr=far, env={**os.environ, "TERM": "xterm"},
        )  # fmt: skip
        os.close(far)
        assert b"judging" in terminal.read(100_000)
    assert len(done.stdout.splitlines()) == 2

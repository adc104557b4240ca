"""`sluice evaluate` as people call it, with real small models; `sluice train` where a mistake stops it."""

import json
from itertools import islice
from pathlib import Path

import pytest
from typer.testing import CliRunner

from classifier.cli import build
from classifier.errors import UserError
from classifier.records import to_json
from classifier.training.synthetic import attacks, benign
from models import tiny_model

RUNNER = CliRunner()


@pytest.fixture
def flows(tmp_path: Path) -> Path:
    path = tmp_path / "flows.jsonl"
    lines = [*map(to_json, islice(benign(1), 60)), *map(to_json, islice(attacks(1), 60))]
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


@pytest.fixture
def model(tmp_path: Path) -> str:
    return str(tiny_model(tmp_path / "a.onnx"))


def test_one_model_on_one_file(flows: Path, model: str, tmp_path: Path) -> None:
    told, page, card = tmp_path / "told.json", tmp_path / "page.html", tmp_path / "card.md"
    outputs = ["--json", str(told), "--html", str(page), "--card", str(card)]
    result = RUNNER.invoke(build(), ["evaluate", str(flows), "--model", model, *outputs])
    assert result.exit_code == 0, result.output
    figures = json.loads(told.read_bytes())
    assert (figures["rows"], figures["skipped"]) == (120, 0)
    assert {report["source"] for report in figures["systems"][0]["reports"]} == {"*", "flows"}
    assert "AUROC" in result.output
    assert page.stat().st_size > 1000
    assert card.read_text().startswith("# Model card")


def test_two_models_side_by_side(flows: Path, model: str, tmp_path: Path) -> None:
    other, told = str(tiny_model(tmp_path / "b.onnx", weight=1.0)), tmp_path / "told.json"
    result = RUNNER.invoke(build(), ["evaluate", str(flows), "--model", model, "--model", other, "--json", str(told)])
    assert result.exit_code == 0, result.output
    assert [system["name"] for system in json.loads(told.read_bytes())["systems"]] == [model, other]


def test_lines_that_are_no_labelled_flows_are_named(flows: Path, model: str, tmp_path: Path) -> None:
    told = tmp_path / "told.json"
    with flows.open("ab") as file:
        file.write(b'{"host": "a.example"}\n{\n')
    result = RUNNER.invoke(build(), ["evaluate", str(flows), "--model", model, "--json", str(told)])
    assert isinstance(result.exception, UserError)
    assert result.exception.exit_code == 1
    assert f"{flows}:121: has no label" in result.output
    assert json.loads(told.read_bytes())["skipped"] == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "nothing to evaluate"),
        (["nosuch.jsonl"], "no such file: nosuch.jsonl"),
        (["FLOWS", "--baseline"], "add --corpus"),
        (["FLOWS", "--json", "nosuch/x.json"], "cannot write nosuch/x.json"),
        (["FLOWS", "--corpus", "nosuch"], "is missing"),
        (["FLOWS", "--model", "MODEL", "--model", "MODEL"], "named twice"),
        (["FLOWS", "--against", "snort"], "there is --against crs"),
        (["FLOWS", "--card", "nosuch/x.md"], "cannot write nosuch/x.md"),
    ],
)
def test_mistakes_are_one_line(flows: Path, model: str, arguments: list[str], message: str) -> None:
    named = [{"FLOWS": str(flows), "MODEL": model}.get(argument, argument) for argument in arguments]
    if "--model" not in named:
        named += ["--model", model]
    result = RUNNER.invoke(build(), ["evaluate", *named])
    assert isinstance(result.exception, UserError)
    assert message in str(result.exception)
    assert result.exception.exit_code == 2


def test_training_without_corpora_says_what_is_missing(tmp_path: Path) -> None:
    result = RUNNER.invoke(build(), ["train", "--corpus", str(tmp_path / "no"), "--out", str(tmp_path / "out")])
    assert isinstance(result.exception, UserError)
    assert "is missing" in str(result.exception)

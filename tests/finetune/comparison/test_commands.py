import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from classifier import cli
from classifier.errors import UserError
from comparisons import RESULT
from finetune.comparison import commands, run
from finetune.strategies import names


def sluice(*arguments: str) -> Result:
    return CliRunner().invoke(cli.build(), ["finetune", "compare", *arguments])


def test_two_sites_end_to_end(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    other = tmp_path / "other.jsonl"
    other.write_bytes(site.read_bytes())
    said = ["--site", str(site), str(other), "--labels-n", "5,10", "--seeds", "1", "--strategies", "full+plain"]
    result = sluice(*said, "--out", "out", "--json")
    assert result.exit_code == 0, result.output
    printed = json.loads(result.stdout)
    rows = [(row["site"], row["labels"], row["strategy"], row["seed"]) for row in printed["rows"]]
    names = ("incumbent", "n-gram", "from-scratch", "full+plain")
    assert rows == [(name, n, each, 0) for name in ("reports", "other") for n in (5, 10) for each in names]
    assert all(isinstance(row["site_auroc"], float) for row in printed["rows"])
    assert json.loads((tmp_path / "out" / "result.json").read_text()) == printed
    files = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"index.html", "rows.jsonl", "reports-labels.png", "other-gain-and-loss.png"} <= files
    again = sluice(*said, "--out", "out")
    assert "full+plain" in again.stdout
    assert json.loads((tmp_path / "out" / "result.json").read_text()) == printed


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "nothing to compare on"),
        (["--site", "none.jsonl"], "no such file: none.jsonl"),
        (["--site", "here.jsonl", "--labels-n", "many"], "--labels-n many: expected numbers"),
        (["--site", "here.jsonl", "--labels-n", "0,50"], "--labels-n 0,50: expected numbers"),
        (["--site", "here.jsonl", "--strategies", "full,magic"], "unknown strategy 'magic'"),
        (["--site", "here.jsonl", "--out", "here.jsonl"], "cannot write to here.jsonl"),
        (["--site", "here.jsonl", "--config", "none.toml"], "cannot read none.toml"),
    ],
)
def test_usage_mistakes_are_user_errors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here.jsonl").write_text("{}\n")
    result = sluice(*arguments)
    assert isinstance(result.exception, UserError)
    assert said in str(result.exception)


def test_what_is_asked_for_reaches_the_comparison(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[run.Options] = []

    def compared(options: run.Options) -> object:
        seen.append(options)
        return RESULT

    monkeypatch.setattr(run, "run", compared)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.har").touch()
    result = sluice("--site", "a.har", "--base", "here", "--seeds", "2", "--labels-n", "200,50", "--state", "s")
    assert result.exit_code == 0, result.output
    (options,) = seen
    assert (options.sites, options.base, options.state) == ([Path("a.har")], "here", Path("s"))
    assert (options.labels, options.seeds, options.out) == ([50, 200], 2, None)
    assert list(options.strategies) == commands.DEFAULT.split(",")


def test_every_way_and_part_is_compared_by_default() -> None:
    parsed = [names.parse(text) for text in commands.DEFAULT.split(",")]
    assert {name.way for name in parsed} | {"from-scratch"} == names.WAYS.keys()
    assert {part for name in parsed for part in name.parts} == names.PARTS.keys()

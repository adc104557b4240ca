import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from classifier import cli
from classifier.errors import UserError
from finetune import commands, pipeline
from finetune.gate import Gate
from finetune.outcome import Options, Outcome

PASSED = Gate("reported", True, 1.0, 0.5, 1.0, 1.0, "4 of 4")
FAILED = Gate("sentinels", False, 0.9, 0.8, 0.95, 1.0)


def sluice(*arguments: str) -> Result:
    return CliRunner().invoke(cli.build(), ["finetune", "run", *arguments])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--strategy", "magic"], "unknown strategy 'magic'; one of two-stage, feature-based, full"),
        (["--rollout", "slowly"], "unknown --rollout 'slowly'; one of direct, shadow, canary"),
        (["--config", "none.toml"], "cannot read none.toml"),
    ],
)
def test_usage_mistakes_are_user_errors_with_exit_code_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = sluice(*arguments)
    assert isinstance(result.exception, UserError)
    assert said in str(result.exception)
    assert result.exception.exit_code == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("gates", "release", "code"), [([PASSED], "20260101-0123456789ab", 0), ([FAILED], None, 3)])
def test_the_outcome_is_printed_as_json_and_a_refusal_exits_with_3(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gates: list[Gate], release: str | None, code: int
) -> None:
    seen: list[Options] = []

    def run(options: Options) -> Outcome:
        seen.append(options)
        return Outcome(release, release is not None, gates, {"harmless": 3}, {"harmless": 4}, 1.5)

    monkeypatch.setattr(pipeline, "run", run)
    monkeypatch.chdir(tmp_path)
    result = sluice("--json", "--state", "s", "--flows", "a.har", "--flows", "b.pcap", "--seed", "7", "--no-promote")
    assert result.exit_code == code
    printed = json.loads(result.stdout)
    assert printed.keys() >= {"release", "promoted", "gates", "site", "base", "seconds"}
    assert printed["gates"][0].keys() >= {"name", "passed", "value", "low", "high", "limit"}
    assert seen == [Options(Path("s"), flows=[Path("a.har"), Path("b.pcap")], promote=False, seed=7)]


def test_a_table_says_which_gate_refused(capsys: pytest.CaptureFixture[str]) -> None:
    commands._print(Outcome(None, False, [PASSED, FAILED], {}, {}, 12.0))
    out = capsys.readouterr().out
    assert "FAIL  sentinels" in out
    assert "refused by sentinels; the model in service stays (12 s)" in out


def test_a_table_says_how_to_promote(capsys: pytest.CaptureFixture[str]) -> None:
    commands._print(Outcome("20260101-0123456789ab", False, [PASSED], {}, {}, 12.0))
    assert "sluice model promote 20260101-0123456789ab" in capsys.readouterr().out

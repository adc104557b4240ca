import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from classifier import cli
from classifier.errors import UserError


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sluice.toml").write_text('[proxy]\nlisten = "127.0.0.1:0"\nadmin = "127.0.0.1:0"\n')


def doctor(*arguments: str) -> Result:
    return CliRunner().invoke(cli.build(), ["doctor", *arguments])


def test_what_is_fit_to_serve_exits_with_0_and_makes_nothing(tmp_path: Path) -> None:
    done = doctor()
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[0].startswith("ok    configuration")
    assert [path.name for path in tmp_path.iterdir()] == ["sluice.toml"]


def test_what_is_in_the_way_exits_with_1_and_says_what_to_do() -> None:
    done = doctor("--reach", "127.0.0.1:1")
    assert done.exit_code == 1
    assert "fail  reach          127.0.0.1:1 cannot be reached" in done.stdout
    assert "→ check DNS" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("1 to mend")


def test_json_has_every_finding() -> None:
    found = json.loads(doctor("--json").stdout)["findings"]
    assert {"check", "level", "what", "fix"} == found[0].keys()


def test_a_target_that_is_no_address_is_a_mistake() -> None:
    done = doctor("--reach", "example")
    assert isinstance(done.exception, UserError)
    assert "--reach example: must be HOST:PORT" in str(done.exception)

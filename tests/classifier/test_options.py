from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from classifier.options import STATE, State


@pytest.mark.parametrize(
    ("arguments", "environment", "state"),
    [
        ([], {}, "state"),
        ([], {"SLUICE_STATE": "there"}, "there"),
        (["--state", "here"], {"SLUICE_STATE": "there"}, "here"),
    ],
)
def test_the_state_directory_is_named_by_option_environment_or_habit(
    arguments: list[str], environment: dict[str, str], state: str
) -> None:
    app = typer.Typer()
    seen: list[Path] = []

    @app.command()
    def command(state: State = STATE) -> None:
        seen.append(state)

    assert CliRunner().invoke(app, arguments, env=environment).exit_code == 0
    assert seen == [Path(state)]

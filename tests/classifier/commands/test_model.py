"""`sluice model` from the outside: text for people, JSON for programs, one line for mistakes."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from classifier.commands import model
from classifier.errors import UserError
from classifier.registry import Registry
from models import tiny_release


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def releases(state: Path, tmp_path: Path) -> list[str]:
    return [Registry(state).publish(tiny_release(tmp_path / str(weight), weight=weight)) for weight in (1.0, 2.0)]


def run(state: Path, *arguments: str) -> str:
    """What the command prints; what it raises is raised here too."""
    app = typer.Typer()
    model.register(app)
    done = CliRunner().invoke(app, ["model", *arguments, "--state", str(state)], env={"COLUMNS": "200"})
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


def run_json(state: Path, *arguments: str) -> Any:
    return json.loads(run(state, *arguments, "--json"))


def test_promote_and_rollback_move_the_channel(state: Path, releases: list[str]) -> None:
    for release in releases:
        assert run_json(state, "promote", release) == {"release": release, "channel": "stable"}
    assert run_json(state, "rollback") == {"release": releases[0], "channel": "stable"}
    listed = {found["release"]: found["channels"] for found in run_json(state, "ls")}
    assert [listed[release] for release in releases] == [["stable"], []]


def test_show_gives_operating_points(state: Path, releases: list[str]) -> None:
    shown = run_json(state, "show", releases[0])
    assert shown["operating_points"]["http/request"]["threat"]["0.01"] == {"threshold": 0.5, "upper_bound": 0.01}
    text = run(state, "show", releases[0])
    assert f"release: {releases[0]}" in text
    assert "http/request threat at 0.01: 0.5000" in text


@pytest.mark.parametrize("command", ["show", "verify"])
def test_the_stable_release_is_meant_where_none_is_named(state: Path, releases: list[str], command: str) -> None:
    run(state, "promote", releases[1])
    assert run_json(state, command)["release"] == releases[1]


def test_text_names_the_releases(state: Path, releases: list[str]) -> None:
    run(state, "promote", releases[1], "--channel", "canary")
    listed = run(state, "ls")
    assert all(release in listed for release in releases)
    assert "canary" in listed
    assert run(state, "verify", releases[0]).startswith(releases[0])


def test_what_could_not_serve_is_not_promoted(state: Path, tmp_path: Path) -> None:
    release = Registry(state).publish(tiny_release(tmp_path / "old", schema="deadbeef"))
    for command in ("verify", "promote"):
        with pytest.raises(UserError, match="schema"):
            run(state, command, release)
    assert "stable" not in [
        name for found in run_json(state, "ls") for name in found["channels"] if not found["shipped"]
    ]


@pytest.mark.parametrize("command", ["show", "verify", "promote"])
def test_an_unknown_release_is_a_mistake(command: str, state: Path) -> None:
    with pytest.raises(UserError, match="sluice model ls"):
        run(state, command, "nonsense")


def test_a_release_travels_in_one_file_to_a_site_that_trusts_its_maker(
    state: Path, releases: list[str], tmp_path: Path
) -> None:
    file, there = tmp_path / "release.sluice", tmp_path / "there"
    exported = run_json(state, "export", releases[0], str(file))
    assert exported == {"release": releases[0], "file": str(file), "key": str(state / "keys/release.pub")}
    with pytest.raises(UserError, match=r"put the maker's keys/release\.pub into .*there/keys/trusted") as refused:
        run(there, "import", str(file))
    assert "\n" not in str(refused.value)
    trusted = there / "keys/trusted"
    trusted.mkdir(parents=True)
    (trusted / "maker.pub").write_bytes(Path(exported["key"]).read_bytes())
    assert run_json(there, "import", str(file)) == {"release": releases[0]}
    assert f"sluice model promote {releases[0]}" in run(there, "import", str(file))


def test_a_trial_can_be_ended_and_the_stable_channel_cannot(state: Path, releases: list[str]) -> None:
    run(state, "promote", releases[0], "--channel", "canary")
    assert run_json(state, "withdraw", "canary") == {"release": releases[0], "channel": "canary"}
    assert all("canary" not in found["channels"] for found in run_json(state, "ls"))
    with pytest.raises(UserError, match="channel canary follows no release"):
        run(state, "withdraw", "canary")
    with pytest.raises(UserError, match="promote or roll back instead"):
        run(state, "withdraw", "stable")

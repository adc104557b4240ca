"""The questions in their order, over a real registry and a real admin port."""

from pathlib import Path

import pytest

from classifier.registry import Registry
from harness import publish
from models import tiny_release
from proxy.doctor.examine import examine
from proxy.values import Address


def levels(file: Path | None, state: Path) -> dict[str, str]:
    return {found.check: found.level for found in examine(file, state, [])}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Ports that nobody has."""
    path = tmp_path / "sluice.toml"
    path.write_text('[proxy]\nlisten = "127.0.0.1:0"\nadmin = "127.0.0.1:0"\nmode = "enforce"\n')
    return path


def test_everything_is_asked_and_fine(tmp_path: Path, config: Path) -> None:
    publish(tmp_path / "state", tmp_path / "model")
    found = levels(config, tmp_path / "state")
    assert found.keys() >= {"configuration", "state", "disk", "releases", "model", "device", "clock", "proxy port"}
    assert {check for check, level in found.items() if level == "fail"} == set()


def test_the_mode_is_told_with_its_cause(tmp_path: Path, config: Path) -> None:
    first = next(examine(config, tmp_path / "state", []))
    assert first.what == "mode enforce, set by proxy.mode"


def test_nothing_is_asked_of_a_configuration_that_cannot_be_read(tmp_path: Path, config: Path) -> None:
    config.write_text("[proxy]\nlisten = 7\n")
    (found,) = examine(config, tmp_path / "state", [])
    assert (found.level, found.check) == ("fail", "configuration")
    assert "proxy.listen" in found.what


def test_a_model_of_another_schema_is_in_the_way(tmp_path: Path, config: Path) -> None:
    registry = Registry(tmp_path / "state")
    registry.promote(registry.publish(tiny_release(tmp_path / "old", schema="deadbeef")))
    found = {each.check: each for each in examine(config, tmp_path / "state", [])}
    assert found["model"].level == "fail"
    assert "schema" in found["model"].what
    assert "device" not in found


def test_origins_that_must_be_reachable_come_last(tmp_path: Path, config: Path) -> None:
    *_, last = examine(config, tmp_path / "state", [Address("127.0.0.1", 1)])
    assert (last.check, last.level) == ("reach", "fail")

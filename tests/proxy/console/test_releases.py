import json
from pathlib import Path

import pytest

from classifier.errors import UserError
from classifier.registry import Registry
from models import tiny_release
from proxy.console import releases
from proxy.console.context import Console


def another(console: Console, tmp_path: Path) -> str:
    """A release that was learned from the one in service."""
    folder = tiny_release(tmp_path / "learned", weight=8.0)
    gate = {"name": "sentinels", "passed": True, "value": 1, "low": 0.9, "high": 1, "limit": 1}
    report = {"gates": [gate], "site": {"train_labelled": 4}, "base": {}, "seconds": 12.0}
    (folder / "report.json").write_text(json.dumps(report))
    return console.registry.publish(folder, parent=console.status.release, method="finetune two-stage")


def test_every_release_with_its_gates(console: Console, tmp_path: Path) -> None:
    name = another(console, tmp_path)
    found = {release.release: release for release in releases.every(console)}
    assert found[console.status.release].serving and not found[name].serving
    assert found[name].parent == console.status.release
    assert [gate["name"] for gate in found[name].gates] == ["sentinels"]
    assert (found[name].site, found[name].seconds) == ({"train_labelled": 4}, 12.0)
    assert any(release.shipped for release in found.values())
    assert releases.one(console, name) == found[name]
    with pytest.raises(UserError, match="no release"):
        releases.one(console, "20200101-0123456789ab")


def test_a_release_that_cannot_be_read_is_listed_with_its_problem(console: Console, tmp_path: Path) -> None:
    name = another(console, tmp_path)
    (console.status.home / "models" / "releases" / name / "manifest.json").write_text("{")
    assert releases.one(console, name).problem


async def test_one_is_put_in_service_and_back(console: Console, tmp_path: Path) -> None:
    before, name, seen = console.status.release, another(console, tmp_path), []

    async def reload() -> tuple[None, str]:
        seen.append(Registry(console.status.home).resolve())
        return None, ""

    console.status.reload = reload
    assert await releases.promote(console, name) == name
    assert await releases.rollback(console) == before
    assert seen == [name, before]


async def test_one_that_cannot_serve_is_refused(console: Console, tmp_path: Path) -> None:
    for name in ("20200101-0123456789ab", "--help", ""):
        with pytest.raises(UserError):
            await releases.promote(console, name)
    assert Registry(console.status.home).resolve() == console.status.release

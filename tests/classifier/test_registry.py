"""Releases are written once and verified before use; channels move atomically and back again."""

import json
import os
import re
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from classifier import registry as module
from classifier.artifact import Model
from classifier.card import ModelRefused
from classifier.errors import UserError
from classifier.features import NUMBERS, SCHEMA
from classifier.registry import Registry, base, seal
from models import tiny_release


@pytest.fixture
def shipped(tmp_path: Path) -> Path:
    """A base release, as it would lie in the package."""
    folder = tiny_release(tmp_path / "base", weight=9.0)
    seal(folder)
    return folder


@pytest.fixture
def registry(tmp_path: Path, shipped: Path) -> Registry:
    return Registry(tmp_path / "state", shipped=shipped)


def publish(registry: Registry, tmp_path: Path, weight: float, **fields: str) -> str:
    return registry.publish(tiny_release(tmp_path / f"out-{weight}", weight=weight), **fields)


def reason(act: Callable[[], object]) -> str:
    with pytest.raises(ModelRefused) as refused:
        act()
    return refused.value.reason


def test_a_release_has_its_id_files_and_fields(registry: Registry, tmp_path: Path) -> None:
    release = publish(registry, tmp_path, 1.0, parent="p", method="two-stage")
    assert re.fullmatch(r"\d{8}-[0-9a-f]{12}", release)
    folder = registry.verify(release)
    assert folder == tmp_path / "state/models/releases" / release
    names = ["manifest.json", "model.onnx", "report.json", "weights.safetensors"]
    assert sorted(path.name for path in folder.iterdir()) == names
    manifest = json.loads((folder / "manifest.json").read_bytes())
    assert (manifest["release"], manifest["parent"], manifest["method"]) == (release, "p", "two-stage")
    assert release.endswith(manifest["files"]["model.onnx"][:12])
    assert [path.name for path in folder.parent.iterdir()] == [release]


def test_publishing_the_same_model_again_is_the_same_release(registry: Registry, tmp_path: Path) -> None:
    assert publish(registry, tmp_path, 1.0) == publish(registry, tmp_path, 1.0)
    assert len(registry.list()) == 2


def test_publishers_at_once_make_one_release(registry: Registry, tmp_path: Path) -> None:
    folder, found = tiny_release(tmp_path / "out"), []
    threads = [threading.Thread(target=lambda: found.append(registry.publish(folder))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == 1
    assert len(list((tmp_path / "state/models/releases").iterdir())) == 1


@pytest.mark.parametrize("folder", ["none", "empty"])
def test_a_folder_without_a_model_is_refused_and_leaves_nothing(
    folder: str, registry: Registry, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=folder if folder == "none" else r"no model\.onnx"):
        registry.publish(tmp_path / folder)
    assert list((tmp_path / "state/models/releases").iterdir()) == []


def test_a_state_that_cannot_be_written_is_told_in_a_line(tmp_path: Path, shipped: Path) -> None:
    (tmp_path / "state").write_text("a file")
    with pytest.raises(UserError, match="cannot be written"):
        Registry(tmp_path / "state", shipped=shipped).publish(shipped)


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def relabel(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_bytes())
    manifest["method"] = "forged"
    (folder / "manifest.json").write_text(json.dumps(manifest))


TAMPERING: dict[str, Callable[[Path], object]] = {
    "model": lambda folder: flip(folder / "model.onnx"),
    "truncated": lambda folder: os.truncate(folder / "model.onnx", 100),
    "weights": lambda folder: flip(folder / "weights.safetensors"),
    "report": lambda folder: flip(folder / "report.json"),
    "gone": lambda folder: (folder / "weights.safetensors").unlink(),
    "model gone": lambda folder: (folder / "model.onnx").unlink(),
    "added": lambda folder: (folder / "extra.bin").write_bytes(b"x"),
    "manifest": relabel,
    "resealed": lambda folder: seal(folder),
    "no json": lambda folder: (folder / "manifest.json").write_text("{"),
    "nested": lambda folder: (folder / "manifest.json").write_text("[" * 100_000),
    "a list": lambda folder: (folder / "manifest.json").write_text("[]"),
    "empty": lambda folder: (folder / "manifest.json").write_text("{}"),
}


@pytest.mark.parametrize("how", TAMPERING)
def test_a_tampered_release_is_refused_everywhere(how: str, registry: Registry, tmp_path: Path) -> None:
    release = publish(registry, tmp_path, 1.0)
    TAMPERING[how](registry.path(release))
    uses: list[Callable[[str], object]] = [registry.verify, registry.load, registry.promote, registry.show]
    assert {reason(lambda use=use: use(release)) for use in uses} == {"signature"}  # type: ignore[misc]
    assert registry.resolve() != release
    assert [found.release for found in registry.list() if not found.shipped] == [release]


def test_a_release_under_another_ones_name_is_refused(registry: Registry, tmp_path: Path) -> None:
    old, new = publish(registry, tmp_path, 1.0), publish(registry, tmp_path, 2.0)
    shutil.rmtree(registry.path(new))
    shutil.copytree(registry.path(old), registry.path(old).with_name(new))
    assert reason(lambda: registry.verify(new)) == "signature"


def test_another_states_release_needs_its_key(registry: Registry, tmp_path: Path) -> None:
    theirs = Registry(tmp_path / "theirs")
    release = publish(theirs, tmp_path, 1.0)
    shutil.copytree(theirs.path(release), tmp_path / "state/models/releases" / release)
    assert reason(lambda: registry.verify(release)) == "signature"
    trusted = tmp_path / "state/keys/trusted"
    trusted.mkdir(parents=True)
    shutil.copy(tmp_path / "theirs/keys/release.pub", trusted / "theirs.pub")
    assert registry.load(release, "cpu").release == release


@pytest.mark.parametrize("name", ["", "x", "../../etc", "20260101-000000000000", "/tmp"])
def test_an_unknown_release_is_refused(name: str, registry: Registry) -> None:
    for use in (registry.path, registry.verify, registry.load, registry.promote, registry.show):
        with pytest.raises(UserError, match="sluice model ls"):
            use(name)


def test_load_gives_the_model_under_its_id(registry: Registry, tmp_path: Path) -> None:
    release = publish(registry, tmp_path, 1.0)
    assert registry.load(release, "cpu").release == release


def test_the_bytes_that_are_verified_are_the_bytes_that_run(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever exchanges the file just after the check gains nothing."""
    release = publish(registry, tmp_path, 1.0)
    other = tiny_release(tmp_path / "other", weight=7.0)
    check = module._check_files

    def check_then_exchange(folder: Path, listed: object, wanted: str) -> bytes:
        content = check(folder, listed, wanted)
        shutil.copy(other / "model.onnx", folder / "model.onnx")
        return content

    monkeypatch.setattr(module, "_check_files", check_then_exchange)
    tokens, numbers = np.full((1, 32), 39, np.int32), np.zeros((1, len(NUMBERS)), np.float32)
    honest = Model.load(tmp_path / "out-1.0/model.onnx", "cpu").run(tokens, numbers)[0]
    np.testing.assert_array_equal(registry.load(release, "cpu").run(tokens, numbers)[0], honest)


def test_read_gives_verified_bytes_of_any_file(registry: Registry, tmp_path: Path) -> None:
    release = publish(registry, tmp_path, 1.0)
    assert registry.read(release, "weights.safetensors") == b"weights"
    with pytest.raises(UserError, match=r"no fisher\.safetensors"):
        registry.read(release, "fisher.safetensors")


def test_the_shipped_base_is_followed_until_something_is_promoted(registry: Registry, shipped: Path) -> None:
    release = registry.resolve()
    assert registry.verify(release) == shipped
    assert registry.load(release, "cpu").release == release
    assert [(found.release, found.channels) for found in registry.list()] == [(release, ("stable",))]


def test_a_tampered_base_is_refused(registry: Registry, shipped: Path) -> None:
    flip(shipped / "model.onnx")
    assert reason(lambda: registry.load(registry.resolve())) == "signature"


def test_without_a_base_the_user_is_told_to_train(tmp_path: Path) -> None:
    bare = Registry(tmp_path / "state", shipped=tmp_path / "none")
    assert bare.list() == []
    with pytest.raises(UserError, match=r"no base model .* run `sluice train`"):
        bare.resolve()


def test_promote_and_roll_back_to_the_base(registry: Registry, tmp_path: Path) -> None:
    first = registry.resolve()
    one, two = publish(registry, tmp_path, 1.0), publish(registry, tmp_path, 2.0)
    for release in (one, two):
        registry.promote(release)
        assert registry.resolve() == release
    assert [registry.rollback(), registry.rollback()] == [one, first]
    assert registry.resolve() == first
    assert json.loads((tmp_path / "state/models/channels/stable").read_bytes())["release"] == first
    with pytest.raises(UserError, match="no release before"):
        registry.rollback()


def test_channels_are_apart(registry: Registry, tmp_path: Path) -> None:
    release = publish(registry, tmp_path, 1.0)
    registry.promote(release, "canary")
    assert registry.resolve("canary") == release
    assert registry.resolve() != release


@pytest.mark.parametrize("promoted", [0, 1])
def test_with_nothing_before_there_is_no_rollback(promoted: int, tmp_path: Path) -> None:
    bare = Registry(tmp_path / "state", shipped=tmp_path / "none")
    for weight in range(promoted):
        bare.promote(publish(bare, tmp_path, float(weight)))
    with pytest.raises(UserError, match="no release before"):
        bare.rollback()


def test_rollback_refuses_a_release_that_was_tampered_with(registry: Registry, tmp_path: Path) -> None:
    one, two = publish(registry, tmp_path, 1.0), publish(registry, tmp_path, 2.0)
    registry.promote(one)
    registry.promote(two)
    flip(registry.path(one) / "model.onnx")
    assert reason(registry.rollback) == "signature"
    assert registry.resolve() == two


def test_a_channel_at_the_base_follows_it_through_an_upgrade(registry: Registry, tmp_path: Path, shipped: Path) -> None:
    registry.promote(publish(registry, tmp_path, 1.0))
    registry.rollback()
    shutil.rmtree(shipped)
    upgraded = seal(tiny_release(shipped, weight=11.0))
    assert registry.resolve() == upgraded


def test_show_has_card_manifest_and_channels(registry: Registry, tmp_path: Path) -> None:
    release = publish(registry, tmp_path, 1.0, parent="p")
    registry.promote(release)
    shown = registry.show(release)
    assert (shown["release"], shown["parent"], shown["schema"]) == (release, "p", SCHEMA)
    assert shown["channels"] == ("stable",)
    point = shown["operating_points"]["http/request"]["threat"]["0.001"]
    assert point == {"threshold": 0.8, "upper_bound": 0.001}
    json.dumps(shown)


def test_a_release_that_cannot_be_read_is_listed_with_its_problem(registry: Registry, tmp_path: Path) -> None:
    release = publish(registry, tmp_path, 1.0)
    (registry.path(release) / "manifest.json").write_text("{")
    assert "not JSON" in {found.release: found.problem for found in registry.list()}[release]


def test_the_base_lies_in_the_package() -> None:
    assert base() == Path(module.__file__).parent / "base"


def other(tmp_path: Path, shipped: Path) -> Registry:
    """The registry of another site."""
    return Registry(tmp_path / "other", shipped=shipped)


def trust(tmp_path: Path) -> None:
    """Let the other site trust this one's key."""
    folder = tmp_path / "other/keys/trusted"
    folder.mkdir(parents=True)
    shutil.copy(tmp_path / "state/keys/release.pub", folder / "site.pub")


def test_a_packed_release_is_adopted_where_its_key_is_trusted(
    registry: Registry, tmp_path: Path, shipped: Path
) -> None:
    release = publish(registry, tmp_path, 1.0)
    files = registry.pack(release)
    there = other(tmp_path, shipped)
    assert reason(lambda: there.adopt(files)) == "signature"
    assert [found.release for found in there.list() if not found.shipped] == []
    trust(tmp_path)
    assert there.adopt(files) == release
    assert there.adopt(files) == release  # again is no error
    assert there.verify(release)
    there.promote(release)
    assert there.resolve() == release


def test_the_shipped_release_is_signed_when_it_is_packed(registry: Registry, tmp_path: Path, shipped: Path) -> None:
    files = registry.pack(registry.resolve())
    trust(tmp_path)
    elsewhere = Registry(tmp_path / "other", shipped=tiny_release(tmp_path / "empty"))
    assert elsewhere.adopt(files) == registry.resolve()


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda files: files | {"weights.safetensors": b"others"}, "signature"),
        (lambda files: files | {"extra": b""}, "signature"),
        (lambda files: {name: content for name, content in files.items() if name != "report.json"}, "signature"),
        (lambda files: files | {"manifest.json": files["manifest.json"].replace(b"parent", b"Parent")}, "signature"),
        (lambda files: files | {"manifest.json": b"[]"}, "signature"),
        (lambda files: {"model.onnx": files["model.onnx"]}, "unreadable"),
    ],
)
def test_a_parcel_that_was_changed_is_refused_and_leaves_nothing(
    registry: Registry, tmp_path: Path, shipped: Path, spoil: Callable[[dict[str, bytes]], dict[str, bytes]], why: str
) -> None:
    files = registry.pack(publish(registry, tmp_path, 1.0, parent="p"))
    trust(tmp_path)
    assert reason(lambda: other(tmp_path, shipped).adopt(spoil(files))) == why
    assert list((tmp_path / "other/models/releases").iterdir()) == []


def test_a_release_that_cannot_serve_here_is_not_adopted(registry: Registry, tmp_path: Path, shipped: Path) -> None:
    release = registry.publish(tiny_release(tmp_path / "old", schema="deadbeef"))
    files = registry.pack(release)
    trust(tmp_path)
    assert reason(lambda: other(tmp_path, shipped).adopt(files)) == "schema"

"""A parcel holds plain files under plain names, and nothing else is read from one."""

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from classifier import parcel
from classifier.errors import UserError

FILES = {"model.onnx": b"model", "manifest.json": b"{}", "report.html": b""}


def test_what_is_written_is_read(tmp_path: Path) -> None:
    parcel.write(tmp_path / "release.sluice", FILES)
    assert parcel.read(tmp_path / "release.sluice") == FILES


def test_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    for name, files in (("a", FILES), ("b", dict(reversed(FILES.items())))):
        parcel.write(tmp_path / name, files)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def entry(name: str, **fields: object) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    for field, value in fields.items():
        setattr(made, field, value)
    return made


@pytest.mark.parametrize(
    "member",
    [
        entry("../escape"),
        entry("/etc/passwd"),
        entry("folder/model.onnx"),
        entry(".hidden"),
        entry("link", type=tarfile.SYMTYPE, linkname="manifest.json"),
        entry("folder", type=tarfile.DIRTYPE),
        entry("device", type=tarfile.CHRTYPE),
        entry("model.onnx"),
    ],
    ids=lambda member: f"{member.name}-{member.type.decode()}",
)
def test_what_does_not_belong_into_a_release_is_refused(tmp_path: Path, member: tarfile.TarInfo) -> None:
    path = tmp_path / "odd"
    with tarfile.open(path, "w") as file:
        file.addfile(entry("model.onnx"))
        file.addfile(member)
    with pytest.raises(UserError, match="does not belong into a release"):
        parcel.read(path)


def test_a_file_that_would_fill_the_memory_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parcel, "LARGEST", 10)
    parcel.write(tmp_path / "large", {"model.onnx": b"x" * 11})
    with pytest.raises(UserError, match="does not belong"):
        parcel.read(tmp_path / "large")


def compressed(path: Path) -> None:
    with tarfile.open(path, "w:gz") as file:
        file.addfile(entry("model.onnx", size=1), io.BytesIO(b"x"))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(b"no tar at all" * 100),
        lambda path: path.write_bytes(path.read_bytes()[:700]),
        lambda path: path.unlink(),
        compressed,
    ],
)
def test_what_is_no_parcel_is_said_in_one_line(tmp_path: Path, spoil: Callable[[Path], object]) -> None:
    path = tmp_path / "release.sluice"
    parcel.write(path, {"model.onnx": b"x" * 2000})
    spoil(path)
    with pytest.raises(UserError, match=r"release\.sluice") as error:
        parcel.read(path)
    assert "\n" not in str(error.value)

"""The files of a repository, however it is kept."""

import bz2
import gzip
import io
import lzma
import zipfile
from pathlib import Path

import pytest

from classifier.errors import UserError
from classifier.training.datasets import files
from classifier.training.datasets.files import File
from classifier.training.datasets.manifest import Pin, Source
from repositories import pack

PIN = Pin("o", "n", "c0ffee")
CONTENT = {"a/x.txt": b"1", "a/b/y.txt": b"2", "z.txt": b"3"}


def source(*paths: str, skip: tuple[str, ...] = ()) -> Source:
    return Source(name="s", table="urls", pins=("o/n@c0ffee",), licence="-", format="list", paths=paths, skip=skip)


def zipped(content: dict[str, bytes], prefix: str = "") -> bytes:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        for name, data in content.items():
            archive.writestr(prefix + name, data)
    return raw.getvalue()


@pytest.fixture(params=["folder", "tar", "zip"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.param == "tar":
        return pack(tmp_path / "o__n.tar.gz", CONTENT)
    if request.param == "zip":
        (tmp_path / "o__n.zip").write_bytes(zipped(CONTENT, "n-1/"))
        return tmp_path / "o__n.zip"
    for name, data in CONTENT.items():
        (tmp_path / "o__n" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "o__n" / name).write_bytes(data)
    return tmp_path / "o__n"


@pytest.mark.parametrize(
    ("paths", "skip", "found"),
    [
        (("a/*.txt",), (), ["a/x.txt"]),
        (("**/*.txt",), (), ["a/b/y.txt", "a/x.txt", "z.txt"]),
        (("a/**/*.txt",), ("a/b/*",), ["a/x.txt"]),
        (("?.txt",), (), ["z.txt"]),
        (("nothing",), (), []),
    ],
)
def test_globs_choose(place: Path, paths: tuple[str, ...], skip: tuple[str, ...], found: list[str]) -> None:
    assert files.locate(place.parent, PIN) == place
    chosen = list(files.read(place, source(*paths, skip=skip)))
    assert sorted(chosen) == [File(name, CONTENT[name]) for name in found]


def test_what_is_not_there() -> None:
    assert files.locate(Path("nowhere"), PIN) is None


def test_zip_and_compressed_files_are_looked_into(tmp_path: Path) -> None:
    (tmp_path / "d.zip").write_bytes(zipped({"in/a.json": b"{}", "b": b""}))
    for name, packed in {"g.gz": gzip.compress(b"g"), "b.bz2": bz2.compress(b"b"), "x.xz": lzma.compress(b"x")}.items():
        (tmp_path / name).write_bytes(packed)
    found = {file.path: file.data for file in files.read(tmp_path, source("d.zip/**/*.json", "*.gz", "*.bz2", "*.xz"))}
    assert found == {"d.zip/in/a.json": b"{}", "g.gz": b"g", "b.bz2": b"b", "x.xz": b"x"}


def test_links_and_files_above_the_cap_are_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "FILE_CAP", 3)
    (tmp_path / "big").write_bytes(b"1234")
    (tmp_path / "small").write_bytes(b"123")
    (tmp_path / "link").symlink_to("small")
    assert [file.path for file in files.read(tmp_path, source("big", "small", "link"))] == ["small"]


@pytest.mark.parametrize("name", ["o__n.tar.gz", "o__n.zip"])
def test_a_damaged_archive_is_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"damaged")
    with pytest.raises(UserError, match="cannot be read"):
        list(files.read(tmp_path / name, source("*")))


def test_an_archive_of_another_commit_is_stale(tmp_path: Path) -> None:
    archive = pack(tmp_path / "o__n.tar.gz", CONTENT, commit="decaf")
    assert files.stale(archive, PIN) == "decaf"
    assert files.stale(archive, Pin("o", "n", "deca")) == ""
    assert files.stale(pack(tmp_path / "silent.tar.gz", CONTENT), PIN) == ""

"""The files of a repository, from a folder or an archive beside others: `OWNER__NAME/`, `.tar.gz`, `.tgz`, `.zip`.

Archives are read, never unpacked: no path of theirs is written to. A zip or a compressed file among the files is
looked into when a glob leads there. Files above `FILE_CAP` and links are passed over.
"""

import bz2
import gzip
import io
import lzma
import re
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import IO, Final, NamedTuple

from classifier.errors import UserError
from classifier.importers import BadLine
from classifier.records import FlowRecord
from classifier.training.datasets.manifest import Pin, Source

FILE_CAP: Final = 256 << 20
"""Bytes of a single file, also once unpacked."""
SUFFIXES: Final = (".tar.gz", ".tgz", ".zip")
_BROKEN: Final = (OSError, EOFError, zlib.error, lzma.LZMAError, tarfile.TarError, zipfile.BadZipFile, RuntimeError)
"""What a damaged or encrypted archive raises."""

Entry = tuple[str, Callable[[], bytes]]


class File(NamedTuple):
    """A file of a source: its path in the repository and its content."""

    path: str
    data: bytes


class Found(NamedTuple):
    """What a parser yields: a value (a URL, a name, a payload) or a flow, and what its source says of it.

    `original` is a class, tags or a status where the source has them, else the file's path.
    """

    original: str
    value: str | FlowRecord


Parser = Callable[[File, Source], Iterator[Found | BadLine]]
"""Raises ValueError for a file that is not of its format at all."""


def locate(folder: Path, pin: Pin) -> Path | None:
    """Where a repository is kept in `folder`, if it is."""
    kept = (folder / f"{pin.folder}{suffix}" for suffix in ("", *SUFFIXES))
    return next((place for place in kept if place.exists()), None)


def read(place: Path, source: Source) -> Iterator[File]:
    """The source's files in a repository kept at `place`. Raises UserError for what cannot be read."""
    try:
        yield from _chosen(_entries(place), source)
    except _BROKEN as error:
        raise UserError(f"{place}: cannot be read ({error}); remove it and fetch it again", exit_code=1) from None


def commit(place: Path) -> str:
    """The commit that an archive of git says it holds, else nothing."""
    if place.is_dir() or place.suffix == ".zip":
        return ""
    try:
        with tarfile.open(place) as archive:
            return archive.pax_headers.get("comment", "")
    except _BROKEN as error:
        raise UserError(f"{place}: cannot be read ({error}); remove it and fetch it again", exit_code=1) from None


def stale(place: Path, pin: Pin) -> str:
    """The commit of an archive that is not the pinned one; nothing where it is, or does not say."""
    told = commit(place)
    return "" if told.startswith(pin.commit) else told


def matches(path: str, patterns: tuple[str, ...]) -> bool:
    """Whether a path is meant by one of these globs: `*` stays within a folder, `**/` is any number of them."""
    return any(_glob(pattern).fullmatch(path) for pattern in patterns)


def _chosen(entries: Iterator[Entry], source: Source) -> Iterator[File]:
    for path, load in entries:
        if matches(path, source.skip):
            continue
        if matches(path, source.paths):
            yield File(path, _plain(path, load()))
        elif path.endswith(".zip") and any(pattern.startswith(f"{path}/") for pattern in source.paths):
            with zipfile.ZipFile(io.BytesIO(load())) as inner:
                yield from _chosen(((f"{path}/{name}", load) for name, load in _zipped(inner)), source)


def _entries(place: Path) -> Iterator[Entry]:
    """The files of a folder or an archive; of an archive without the one folder that holds everything."""
    if place.is_dir():
        for path in sorted(place.rglob("*")):
            if path.is_file() and not path.is_symlink() and path.stat().st_size <= FILE_CAP:
                yield path.relative_to(place).as_posix(), path.read_bytes
    elif place.suffix == ".zip":
        with zipfile.ZipFile(place) as zipped:
            yield from ((name.partition("/")[2], load) for name, load in _zipped(zipped))
    else:
        with tarfile.open(place) as tarred:
            for member in tarred:
                if member.isfile() and member.size <= FILE_CAP:
                    yield member.name.partition("/")[2], lambda member=member: _content(tarred.extractfile(member))  # type: ignore[misc]


def _zipped(archive: zipfile.ZipFile) -> Iterator[Entry]:
    for info in archive.infolist():
        if not info.is_dir() and info.file_size <= FILE_CAP:
            yield info.filename, lambda info=info: _content(archive.open(info))  # type: ignore[misc]


def _content(file: IO[bytes] | None) -> bytes:
    return file.read(FILE_CAP) if file else b""


def _plain(path: str, data: bytes) -> bytes:
    """The content of a compressed file; a bomb is cut at the cap."""
    raw = io.BytesIO(data)
    if path.endswith(".gz"):
        return gzip.GzipFile(fileobj=raw).read(FILE_CAP)
    if path.endswith(".bz2"):
        return bz2.BZ2File(raw).read(FILE_CAP)
    return lzma.LZMAFile(raw).read(FILE_CAP) if path.endswith(".xz") else data


@cache
def _glob(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*/|\*|\?)", pattern)
    known = {"**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(known.get(part, re.escape(part)) for part in parts), re.DOTALL)

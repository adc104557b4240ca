"""What is compressed is blanked, what only begins like it is not."""

import bz2
import gzip
import io
import lzma
import random
import zipfile
import zlib
from collections.abc import Callable

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from classifier.packed import MAGIC, blank_packed

WORDS = "the quick brown fox jumps over a lazy dog and password hunter7 token".split()
TEXT = " ".join(random.Random(3).choices(WORDS, k=900)).encode()
ATTACK = b"&id=1' union select password from users where 1=1 -- "


def zipped(method: int, data: bytes = TEXT) -> bytes:
    """A zip file of one entry."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr("a.txt", data)
    return file.getvalue()


def streamed(data: bytes) -> bytes:
    """A zip file whose writer could not go back to fill in sizes."""
    file = io.BytesIO()
    file.seekable = lambda: False  # type: ignore[method-assign]
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", data)
        archive.writestr("b.txt", data)
    return file.getvalue()


def lz4(data: bytes) -> bytes:
    """A frame of one block, as a compressor writes data that it cannot shrink; the block is taken for compressed."""
    return b"\x04\x22\x4d\x18\x60\x40\x82" + len(data).to_bytes(4, "little") + data + bytes(4)


PACKS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "zlib": zlib.compress,
    "fast zlib": lambda data: zlib.compress(data, 1),
    "zlib level 4": lambda data: zlib.compress(data, 4),
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstandard.compress,
    "zstd with checksum": zstandard.ZstdCompressor(write_checksum=True).compress,
    "lz4": lz4,
}


@pytest.mark.parametrize("name", PACKS)
def test_a_compressed_body_is_blanked_to_its_end_and_no_further(name: str) -> None:
    body = PACKS[name](TEXT)
    blanked = body[:16] + bytes(len(body) - 16)
    assert blank_packed(body) == blanked
    assert blank_packed(body[:200]) == blanked[:200]
    assert blank_packed(body + ATTACK) == blanked + ATTACK
    assert blank_packed(blanked + ATTACK) == blanked + ATTACK


@pytest.mark.parametrize("name", PACKS)
def test_a_short_compressed_body_is_blanked(name: str) -> None:
    body = PACKS[name](b"password=correcthorse7 " * 2)
    assert blank_packed(body) == body[:16] + bytes(len(body) - 16)


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_of_a_zip_file_the_data_is_blanked(method: int) -> None:
    body = zipped(method)
    found = blank_packed(body)
    assert found.startswith(body[:16] + bytes(300)) and found.endswith(body[-60:]) and len(found) == len(body)


def test_every_entry_of_a_streamed_zip_file_is_blanked() -> None:
    body = streamed(TEXT)
    second = body.index(b"PK\x03\x04", 4)
    assert blank_packed(body)[second + 16 : second + 200] == bytes(184)


@pytest.mark.parametrize("data", [b"some words in a file " * 9, ATTACK * 3])
def test_what_was_only_stored_stays_text(data: bytes) -> None:
    for body in (zipped(zipfile.ZIP_STORED, data), zlib.compress(data, 0), gzip.compress(data, 0)):
        assert data in blank_packed(body)


@pytest.mark.parametrize("magic", [*MAGIC, b"\x1f\x8b\x08\x00", b"PK\x03\x04\x14\x00\x00\x00\x08\x00", b"x\x9cKT"])
@pytest.mark.parametrize("tail", [b"=1" + ATTACK, b"" + ATTACK * 30, b"\x00" * 40 + ATTACK, b"a=@@@@" + ATTACK * 9])
def test_text_behind_a_magic_number_stays(magic: bytes, tail: bytes) -> None:
    assert ATTACK in blank_packed(magic + tail)


def test_what_grows_without_end_is_not_read_to_its_end() -> None:
    body = zlib.compress(bytes(1 << 24), 9)
    assert len(blank_packed(body)) == len(body)


@given(st.sampled_from(MAGIC), st.binary(max_size=80), st.sampled_from(sorted(PACKS)), st.integers(0, 60))
def test_length_stays_and_blanking_twice_is_blanking_once(magic: bytes, raw: bytes, name: str, cut: int) -> None:
    for body in (magic + raw, PACKS[name](raw)[: cut or None] + raw):
        once = blank_packed(body)
        assert len(once) == len(body) and blank_packed(once) == once

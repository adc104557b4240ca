"""Content codings: undone as far as is looked at, torn or not."""

import gzip
import zlib

import brotli  # type: ignore[import-untyped]
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from classifier.importers.coding import decode

TEXT = b"select * from users; " * 100
BARE = zlib.compressobj(wbits=-15)
CODED = {
    "gzip": gzip.compress(TEXT),
    "x-gzip": gzip.compress(TEXT),
    "deflate": zlib.compress(TEXT),
    "br": brotli.compress(TEXT),
    "zstd": zstandard.compress(TEXT),
    "": TEXT,
    "identity": TEXT,
    "GZIP": gzip.compress(TEXT),
    "gzip, br": brotli.compress(gzip.compress(TEXT)),
}


@pytest.mark.parametrize("coding", CODED)
def test_codings_are_undone(coding: str) -> None:
    assert decode(CODED[coding], coding) == TEXT


def test_deflate_may_come_bare() -> None:
    assert decode(BARE.compress(TEXT) + BARE.flush(), "deflate") == TEXT


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_torn_body_gives_its_beginning(coding: str) -> None:
    found = decode(CODED[coding][:-10], coding)
    assert found and TEXT.startswith(found)


def test_what_cannot_be_decoded_stays_as_it_is() -> None:
    assert (
        decode(b"plain text", "gzip") == decode(b"plain text", "br") == decode(b"plain text", "zstd") == b"plain text"
    )


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress, brotli.compress, zstandard.compress])
def test_a_bomb_is_cut(pack) -> None:  # type: ignore[no-untyped-def]
    coding = {gzip.compress: "gzip", zlib.compress: "deflate", brotli.compress: "br"}.get(pack, "zstd")
    assert decode(pack(bytes(3_000_000)), coding, 1000) == bytes(1000)


@given(st.binary(max_size=100), st.sampled_from(["gzip", "deflate", "br", "zstd", "gzip,br", "odd", ","]))
def test_any_bytes_are_decoded_or_kept(body: bytes, coding: str) -> None:
    assert isinstance(decode(body, coding), bytes)

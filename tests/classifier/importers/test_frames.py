import io
import struct

import pytest

from classifier.importers.frames import Damaged, Frame, read

HEADER = struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, 1)


def packet(data: bytes, size: int | None = None) -> bytes:
    size = len(data) if size is None else size
    return struct.pack("<IIII", 100, 250_000, size, size) + data


def stream(raw: bytes) -> io.BufferedReader:
    return io.BufferedReader(io.BytesIO(raw))


def test_frames_with_time_and_link() -> None:
    raw = HEADER + packet(b"one") + packet(b"two")
    assert list(read(stream(raw))) == [Frame(100.25, 1, b"one"), Frame(100.25, 1, b"two")]


@pytest.mark.parametrize("rest", [b"\x00" * 7, packet(b"two")[:-1], packet(b"", 0xFFFFFFFF), packet(b"", 200 << 20)])
def test_a_damaged_rest_is_named_after_what_can_be_read(rest: bytes) -> None:
    frames = read(stream(HEADER + packet(b"one") + rest))
    assert next(frames).data == b"one"
    with pytest.raises(Damaged):
        list(frames)


@pytest.mark.parametrize("raw", [b"", b"\xd4\xc3\xb2\xa1", HEADER[:20], b"\n\r\r\n" + b"\xff" * 40])
def test_what_is_no_capture_is_damaged(raw: bytes) -> None:
    with pytest.raises(Damaged):
        list(read(stream(raw)))

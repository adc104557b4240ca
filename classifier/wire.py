"""Protobuf's wire format (protobuf.dev/programming-guides/encoding), as far as an ONNX file needs it."""

from collections.abc import Iterator
from typing import Final

_VARINT: Final = 0
_FIXED: Final = {1: 8, 5: 4}
"""Bytes of the wire types that have a size."""
_LENGTH: Final = 2


def fields(message: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Number, content (of what has a length, else empty) and all bytes of each field. Raises IndexError, ValueError."""
    position = 0
    while position < len(message):
        start = position
        key, position = _varint(message, position)
        body = b""
        if key & 7 == _VARINT:
            _, position = _varint(message, position)
        elif key & 7 == _LENGTH:
            size, position = _varint(message, position)
            body = message[position : position + size]
            position += size
        else:
            position += _fixed(key & 7)
        if position > len(message):
            raise ValueError("cut short")
        yield key >> 3, body, message[start:position]


def number(field: int, value: int) -> bytes:
    """A field that holds a number, not negative."""
    return _encoded(field << 3 | _VARINT) + _encoded(value)


def text(field: int, content: bytes) -> bytes:
    """A field that holds a string or a message."""
    return _encoded(field << 3 | _LENGTH) + _encoded(len(content)) + content


def _fixed(kind: int) -> int:
    if kind not in _FIXED:
        raise ValueError(f"wire type {kind}")
    return _FIXED[kind]


def _varint(message: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[position]
        value |= (byte & 127) << shift
        position, shift = position + 1, shift + 7
        if byte < 128:
            return value, position


def _encoded(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])

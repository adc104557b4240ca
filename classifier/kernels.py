"""A model's graph in operators that the CUDA provider has kernels for: `portable`.

The network hashes n-grams with `BitwiseAnd`, for which onnxruntime's CPU provider has a kernel and its CUDA provider
has none (as of 1.31): the node would run on the CPU, with two copies of every batch, and `device = cuda` would refuse
the model. `x & m` is `x mod (m + 1)` where m + 1 is a power of two, for negative x too (ONNX's integer `Mod` takes the
divisor's sign), and `Mod` has kernels everywhere. The golden rows prove the result, as they do for every session.

The file is edited as protobuf's wire format (protobuf.dev/programming-guides/encoding), because a proxy has no `onnx`.
Field numbers are onnx.proto's.
"""

from collections.abc import Iterator
from typing import Final

_GRAPH: Final = 7
"""ModelProto.graph."""
_NODE, _INITIALIZER = 1, 5
"""GraphProto.node, GraphProto.initializer."""
_INPUT, _OUTPUT, _TYPE = 1, 2, 4
"""NodeProto.input, .output, .op_type."""
_DIMS, _DATA_TYPE, _INT32_DATA, _NAME = 1, 2, 5, 8
"""TensorProto.dims, .data_type, .int32_data, .name."""
_INT32: Final = 6
_VARINT, _LEN = 0, 2
_ONE: Final = b"sluice.one"


def portable(model: bytes) -> bytes:
    """The same model without `BitwiseAnd`. What is no model, or has none of it, comes back as it is."""
    if b"BitwiseAnd" not in model:
        return model
    try:
        return b"".join(_graph(body) if field == _GRAPH else raw for field, body, raw in _fields(model))
    except (IndexError, ValueError):  # no model: the session says so
        return model


def _graph(graph: bytes) -> bytes:
    parts = [
        b"".join(_modulo(body)) if field == _NODE and (_TYPE, b"BitwiseAnd") in _texts(body) else raw
        for field, body, raw in _fields(graph)
    ]
    one = _number(_DIMS, 1) + _number(_DATA_TYPE, _INT32) + _number(_INT32_DATA, 1) + _text(_NAME, _ONE)
    return _text(_GRAPH, b"".join([*parts, _text(_INITIALIZER, one)]))


def _modulo(node: bytes) -> tuple[bytes, bytes]:
    """Two nodes for one: the divisor (a constant, folded when the session is made), and the rest of the division."""
    value, mask = [text for field, text in _texts(node) if field == _INPUT]
    (result,) = [text for field, text in _texts(node) if field == _OUTPUT]
    divisor = result + b".divisor"
    return _operation(b"Add", (mask, _ONE), divisor), _operation(b"Mod", (value, divisor), result)


def _operation(kind: bytes, inputs: tuple[bytes, ...], output: bytes) -> bytes:
    body = b"".join([*(_text(_INPUT, name) for name in inputs), _text(_OUTPUT, output), _text(_TYPE, kind)])
    return _text(_NODE, body)


def _texts(message: bytes) -> list[tuple[int, bytes]]:
    return [(field, body) for field, body, _ in _fields(message)]


def _fields(message: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Number, content (of what has a length, else empty) and all bytes of each field. Raises IndexError, ValueError."""
    position = 0
    while position < len(message):
        start = position
        key, position = _varint(message, position)
        body = b""
        match key & 7:
            case 0:
                _, position = _varint(message, position)
            case 1:
                position += 8
            case 2:
                size, position = _varint(message, position)
                body = message[position : position + size]
                position += size
            case 5:
                position += 4
            case other:
                raise ValueError(f"wire type {other}")
        if position > len(message):
            raise ValueError("cut short")
        yield key >> 3, body, message[start:position]


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


def _number(field: int, value: int) -> bytes:
    return _encoded(field << 3 | _VARINT) + _encoded(value)


def _text(field: int, content: bytes) -> bytes:
    return _encoded(field << 3 | _LEN) + _encoded(len(content)) + content

"""A model's graph in operators that the CUDA provider has kernels for: `portable`.

The network hashes n-grams with `BitwiseAnd`, for which onnxruntime's CPU provider has a kernel and its CUDA provider
has none (as of 1.31): the node would run on the CPU, with two copies of every batch, and `device = cuda` would refuse
the model. `x & m` is `x mod (m + 1)` where m + 1 is a power of two, for negative x too (ONNX's integer `Mod` takes the
divisor's sign), and `Mod` has kernels everywhere. The golden rows prove the result, as they do for every session.

The file is edited as protobuf's wire format, because a proxy has no `onnx`. Field numbers are onnx.proto's.
"""

from typing import Final

from classifier.wire import fields, number, text

_GRAPH: Final = 7
"""ModelProto.graph."""
_NODE, _INITIALIZER = 1, 5
"""GraphProto.node, GraphProto.initializer."""
_INPUT, _OUTPUT, _TYPE = 1, 2, 4
"""NodeProto.input, .output, .op_type."""
_DIMS, _DATA_TYPE, _INT32_DATA, _NAME = 1, 2, 5, 8
"""TensorProto.dims, .data_type, .int32_data, .name."""
_INT32: Final = 6
_ONE: Final = b"sluice.one"


def portable(model: bytes) -> bytes:
    """The same model without `BitwiseAnd`. What is no model, or has none of it, comes back as it is."""
    if b"BitwiseAnd" not in model:
        return model
    try:
        return b"".join(_graph(body) if field == _GRAPH else raw for field, body, raw in fields(model))
    except (IndexError, ValueError):  # no model: the session says so
        return model


def _graph(graph: bytes) -> bytes:
    parts = [
        b"".join(_modulo(body)) if field == _NODE and (_TYPE, b"BitwiseAnd") in _texts(body) else raw
        for field, body, raw in fields(graph)
    ]
    one = number(_DIMS, 1) + number(_DATA_TYPE, _INT32) + number(_INT32_DATA, 1) + text(_NAME, _ONE)
    return text(_GRAPH, b"".join([*parts, text(_INITIALIZER, one)]))


def _modulo(node: bytes) -> tuple[bytes, bytes]:
    """Two nodes for one: the divisor (a constant, folded when the session is made), and the rest of the division."""
    value, mask = [name for field, name in _texts(node) if field == _INPUT]
    (result,) = [name for field, name in _texts(node) if field == _OUTPUT]
    divisor = result + b".divisor"
    return _operation(b"Add", (mask, _ONE), divisor), _operation(b"Mod", (value, divisor), result)


def _operation(kind: bytes, inputs: tuple[bytes, ...], output: bytes) -> bytes:
    body = b"".join([*(text(_INPUT, name) for name in inputs), text(_OUTPUT, output), text(_TYPE, kind)])
    return text(_NODE, body)


def _texts(message: bytes) -> list[tuple[int, bytes]]:
    return [(field, body) for field, body, _ in fields(message)]

"""The time below which a batch cannot come: its bytes and operations over what the device was measured to do.

    bytes between kernels ──▶ / copy rate   ┐ the greater of the two
    operations            ──▶ / matmul rate ┘      + bytes in and out over the transfer rates = floor

Bytes and operations are those of onnxruntime's own graph, kernel by kernel, read from a profile of one run on the CPU.
Kernels fused further would need fewer bytes: the floor is that of this graph.
"""

import json
import tempfile
import time
from collections.abc import Callable, Iterable
from math import prod
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import onnxruntime as ort

from classifier.features import NUMBERS
from classifier.records import LABELS
from classifier.runtime import CUDA, Device, open_session
from classifier.wire import number, text

FLOAT: Final = 1
"""onnx.TensorProto.FLOAT."""
ROWS: Final = 16
"""Windows of the profiled run."""
_TRIES: Final = 5
_WEIGHTS: Final = ("Gather", "GatherElements")
"""Read as many bytes of their table as they write, not all of it."""


class Rates(msgspec.Struct, frozen=True):
    """What the device does at best, as measured: bytes and operations (two for a multiply and add) a second."""

    copy: float
    matmul: float
    upload: float
    download: float


class Needs(msgspec.Struct, frozen=True):
    """What one window of `length` tokens needs; `weights` are the bytes that a batch reads once."""

    length: int
    bytes: float
    operations: float
    weights: int


def seconds(needs: Needs, rates: Rates, rows: int) -> float:
    """The floor of a batch."""
    moved = (needs.bytes * rows + needs.weights) / rates.copy
    computed = needs.operations * rows / rates.matmul
    up = 4 * rows * (needs.length + len(NUMBERS)) / rates.upload
    return max(moved, computed) + up + 4 * rows * len(LABELS) / rates.download


def rates(device: Device, provider: str) -> Rates:
    """Measure the device: an addition over much memory, a product of large matrices, and copies to and fro."""
    gpu = provider == CUDA
    size, edge = (1 << 26, 4096) if gpu else (1 << 24, 1024)
    array = np.ones((1, size), np.float32)
    here = ort.OrtValue.ortvalue_from_numpy(array, "cuda" if gpu else "cpu")
    out = np.empty_like(array)
    return Rates(
        copy=12 * size / _operation(b"Add", (1, size), device, gpu),
        matmul=2 * edge**3 / _operation(b"MatMul", (edge, edge), device, gpu),
        upload=array.nbytes / _best(lambda: here.update_inplace(array) if gpu else np.copyto(out, array)),
        download=array.nbytes / _best(lambda: here.numpy() if gpu else np.copyto(out, array)),
    )


def needs(model: bytes, length: int) -> Needs:
    """What a window costs, from a profiled run of `ROWS` of them on the CPU."""
    with tempfile.TemporaryDirectory() as folder:
        session = open_session(model, "cpu", profile=str(Path(folder) / "run"))
        tokens, numbers = np.ones((ROWS, length), np.int32), np.zeros((ROWS, len(NUMBERS)), np.float32)
        session.run(["probabilities"], {"tokens": tokens, "numbers": numbers})
        events = json.loads(Path(session.end_profiling()).read_text())
    kernels = [event["args"] for event in events if event["name"].endswith("kernel_time")]
    moved, weights = _bytes(kernels)
    return Needs(length, moved / ROWS, sum(map(_operations, kernels)) / ROWS, weights)


def _bytes(kernels: Iterable[dict[str, Any]]) -> tuple[int, int]:
    """Bytes between kernels, and bytes of weights."""
    moved = weights = 0
    for kernel in kernels:
        written = int(kernel["output_size"])
        moved += int(kernel["activation_size"]) + written
        if kernel["op_name"] in _WEIGHTS:
            moved += written
        else:
            weights += int(kernel["parameter_size"])
    return moved, weights


def _operations(kernel: dict[str, Any]) -> int:
    """Two for each multiply and add of convolutions and matrix products, one for each number others write."""
    (result,) = (prod(shape) for one in kernel["output_type_shape"][:1] for shape in one.values())
    shapes = [shape for one in kernel["input_type_shape"] for shape in one.values()]
    if "Conv" in kernel["op_name"]:
        return int(2 * result * prod(shapes[1][1:]))
    if "Gemm" in kernel["op_name"] or "MatMul" in kernel["op_name"]:
        return int(2 * result * shapes[0][-1])
    return int(result)


def _operation(kind: bytes, shape: tuple[int, int], device: Device, gpu: bool) -> float:
    """Seconds of an operation on two matrices that stay on the device."""
    session = open_session(_model(kind), device)
    binding = session.io_binding()
    where = "cuda" if gpu else "cpu"
    for name in ("a", "b"):
        binding.bind_ortvalue_input(name, ort.OrtValue.ortvalue_from_numpy(np.ones(shape, np.float32), where))
    binding.bind_ortvalue_output("c", ort.OrtValue.ortvalue_from_shape_and_type(shape, np.float32, where))
    return _best(lambda: session.run_with_iobinding(binding))


def _model(kind: bytes) -> bytes:
    """c = kind(a, b), matrices of floats: ModelProto with one node (field numbers of onnx.proto)."""
    node = text(1, b"a") + text(1, b"b") + text(2, b"c") + text(4, kind)
    matrix = text(2, text(1, number(1, FLOAT) + text(2, text(1, text(2, b"n")) + text(1, text(2, b"m")))))
    places = ((11, b"a"), (11, b"b"), (12, b"c"))
    graph = text(1, node) + text(2, b"g") + b"".join(text(field, text(1, name) + matrix) for field, name in places)
    return number(1, 8) + text(7, graph) + text(8, number(2, 17))


def _best(run: Callable[[], object]) -> float:
    run()
    found = []
    for _ in range(_TRIES):
        started = time.perf_counter()
        run()
        found.append(time.perf_counter() - started)
    return min(found)

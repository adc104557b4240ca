"""Tiny real ONNX models with the contract's inputs and outputs, for tests that need a model but not a good one.

The model counts one byte (a single quote) in each window: the more of them, the surer it is of `label`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import TensorProto, checker, helper, numpy_helper, save_model

from classifier.artifact import Golden, ModelCard, OperatingPoint, write_card
from classifier.features import NUMBERS, SCHEMA
from classifier.records import LABELS, Label

QUOTE = ord("'")
CALM = 6.0
"""Logit of `bias_label` (benign unless told): 0.97 of the mass when nothing else speaks."""
POISON = ord("~")
RATES = {"0.01": 0.5, "0.001": 0.8, "0.0001": 0.9}
KEYS = [f"{kind}/{phase}" for kind in ("http", "tls", "dns", "tcp", "websocket")
        for phase in ("connect", "request", "response", "end")]  # fmt: skip


def tiny_model(
    path: Path,
    *,
    weight: float = 16.0,
    label: Label = Label.SQLI,
    schema: str = SCHEMA,
    labels: Sequence[str] = LABELS,
    bias_label: Label | None = None,
    nan: bool = False,
    nan_on_poison: bool = False,
    release: str = "",
) -> Path:
    """Write a model to `path`: each quote adds `weight` to the logit of `label` (one quote scores 0.9999).

    `nan` gives NaN always, so that loading refuses it; `nan_on_poison` only for windows with more than eight
    tildes, so that it loads and fails in service.
    """
    weights = np.zeros((1, len(labels)), np.float32)
    weights[0, labels.index(label)] = weight
    bias = np.zeros((1, len(labels)), np.float32)
    bias[0, labels.index(bias_label or Label.BENIGN)] = CALM
    _write_graph(path, weights, bias, poison=-1.0 if nan else 8.0 if nan_on_poison else 1e9)
    card = ModelCard(release=release, schema=schema, labels=list(labels), method="tiny", operating_points=points())
    write_card(path, card, golden(weights, bias))
    return path


def tiny_release(folder: Path, **model: Any) -> Path:
    """Write a folder that `Registry.publish` takes (`model` as for `tiny_model`); only its model is real."""
    folder.mkdir(parents=True, exist_ok=True)
    tiny_model(folder / "model.onnx", **model)
    (folder / "weights.safetensors").write_bytes(b"weights")
    (folder / "report.json").write_text("{}")
    return folder


def points() -> dict[str, dict[str, dict[str, OperatingPoint]]]:
    """The same thresholds for every kind, phase and label."""
    rates = {rate: OperatingPoint(threshold, float(rate)) for rate, threshold in RATES.items()}
    return {key: {name: dict(rates) for name in ("threat", *LABELS)} for key in KEYS}


def golden(weights: npt.NDArray[np.float32], bias: npt.NDArray[np.float32]) -> Golden:
    """Four rows with 0 to 3 quotes, and what the graph should say of them, computed without it."""
    tokens = np.full((4, 64), ord("a"), np.int32)
    for row in range(4):
        tokens[row, :row] = QUOTE + 256 * row
    logits = (tokens % 256 == QUOTE).sum(1, keepdims=True) * weights + bias
    exponent = np.exp(logits - logits.max(1, keepdims=True))
    probabilities = (exponent / exponent.sum(1, keepdims=True)).astype(np.float32)
    return Golden(tokens, np.zeros((4, len(NUMBERS)), np.float32), probabilities)


def _write_graph(path: Path, weights: npt.NDArray[np.float32], bias: npt.NDArray[np.float32], poison: float) -> None:
    constants: dict[str, Any] = {
        "byte": np.int32(256), "quote": np.int32(QUOTE), "tilde": np.int32(POISON), "zero": np.int32(0),
        "axis": np.array([1], np.int64), "weights": weights, "bias": bias, "tiny": np.float32(1e-6),
        "limit": np.float32(poison), "not": np.float32("nan"),
    }  # fmt: skip
    nodes = [
        helper.make_node("Mod", ["tokens", "byte"], ["bytes"]),
        *_count("quotes", "Equal", "bytes", "quote"),
        *_count("tildes", "Equal", "bytes", "tilde"),
        *_count("length", "Greater", "tokens", "zero"),
        helper.make_node("Mul", ["quotes", "weights"], ["evidence"]),
        helper.make_node("Add", ["evidence", "bias"], ["logits"]),
        helper.make_node("ReduceSum", ["numbers", "axis"], ["sum"]),
        helper.make_node("Mul", ["sum", "tiny"], ["whisper"]),
        helper.make_node("Add", ["logits", "whisper"], ["shifted"]),
        helper.make_node("Greater", ["tildes", "limit"], ["poisoned"]),
        helper.make_node("Where", ["poisoned", "not", "shifted"], ["final"]),
        helper.make_node("Softmax", ["final"], ["probabilities"], axis=1),
        helper.make_node("Concat", ["quotes", "tildes", "length"], ["embedding"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [
            helper.make_tensor_value_info("tokens", TensorProto.INT32, ["N", "L"]),
            helper.make_tensor_value_info("numbers", TensorProto.FLOAT, ["N", len(NUMBERS)]),
        ],
        [
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", weights.shape[1]]),
            helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["N", 3]),
        ],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    checker.check_model(model)
    save_model(model, path)


def _count(name: str, test: str, left: str, right: str) -> list[Any]:
    """Nodes that count, per window, where `test(left, right)` holds: float [N, 1]."""
    return [
        helper.make_node(test, [left, right], [f"{name}_where"]),
        helper.make_node("Cast", [f"{name}_where"], [f"{name}_float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceSum", [f"{name}_float", "axis"], [name]),
    ]

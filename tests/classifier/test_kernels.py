"""The graph that CUDA gets is the same function, in operators that CUDA has."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from classifier import registry
from classifier.artifact import Model
from classifier.features import NUMBERS
from classifier.kernels import portable
from classifier.runtime import open_session
from models import tiny_model


def masked(mask: int) -> bytes:
    """A model of one `BitwiseAnd`."""
    kind = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("BitwiseAnd", ["x", "mask"], ["y"], name="and")],
        "g",
        [kind("x", TensorProto.INT32, ["n"])],
        [kind("y", TensorProto.INT32, ["n"])],
        [numpy_helper.from_array(np.array(mask, np.int32), "mask")],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    data: bytes = made.SerializeToString()
    return data


def operators(data: bytes) -> list[str]:
    return [node.op_type for node in onnx.load_from_string(data).graph.node]


@pytest.mark.parametrize("mask", [0, 1, 255, (1 << 18) - 1])
def test_the_rest_of_a_division_is_what_the_mask_leaves(mask: int) -> None:
    values = np.array([0, 1, 2, 255, 256, 65535, 65536, 2**31 - 1, -1, -7, -(2**31)], np.int32)
    data = portable(masked(mask))
    assert operators(data) == ["Add", "Mod"]
    onnx.checker.check_model(onnx.load_from_string(data))
    (found,) = open_session(data, "cpu").run(None, {"x": values})
    assert found.tolist() == (values & mask).tolist()


def test_the_shipped_model_says_the_same_and_keeps_its_card() -> None:
    data = (registry.base() / registry.MODEL).read_bytes()
    before, after = Model.from_bytes(data, "cpu"), Model.from_bytes(portable(data), "cpu")
    assert "BitwiseAnd" in operators(data)
    assert "BitwiseAnd" not in operators(portable(data))
    assert after.card == before.card
    rng = np.random.default_rng(1)
    tokens, numbers = rng.integers(0, 3072, (4, 200), np.int32), rng.random((4, len(NUMBERS)), np.float32)
    for one, other in zip(before.run(tokens, numbers), after.run(tokens, numbers), strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_has_none_of_it_is_left_as_it_is(tmp_path: Path) -> None:
    data = tiny_model(tmp_path / "m.onnx").read_bytes()
    assert portable(data) is data


@pytest.mark.parametrize(
    "data", [b"", b"BitwiseAnd", b"\x08\x07BitwiseAnd", b"\x3a\xff\xffBitwiseAnd", b"\x0fBitwiseAnd"]
)
def test_what_is_no_model_is_left_to_the_session_to_refuse(data: bytes) -> None:
    assert portable(data) == data


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_model_stays_truncated(share: float) -> None:
    data = masked(255) + bytes(100)
    cut = data[: int(len(data) * share)]
    assert len(portable(cut)) >= 0  # it ends, and raises nothing

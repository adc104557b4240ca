"""What is written is read back, and what is damaged raises one of two errors."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto

from classifier.wire import fields, number, text

NUMBERS = st.integers(0, 2**63)
FIELDS = st.integers(1, 2**28)


@given(st.lists(st.tuples(FIELDS, st.binary(max_size=300))), st.lists(st.tuples(FIELDS, NUMBERS)))
def test_fields_come_back_in_their_order(texts: list[tuple[int, bytes]], numbers: list[tuple[int, int]]) -> None:
    message = b"".join([*(text(*pair) for pair in texts), *(number(*pair) for pair in numbers)])
    found = list(fields(message))
    assert [(field, body) for field, body, _ in found] == [*texts, *((field, b"") for field, _ in numbers)]
    assert b"".join(raw for _, _, raw in found) == message


def test_protobuf_reads_it() -> None:
    tensor = TensorProto.FromString(number(1, 300) + number(2, TensorProto.FLOAT) + text(8, b"name"))
    assert (list(tensor.dims), tensor.data_type, tensor.name) == ([300], TensorProto.FLOAT, "name")
    sized = TensorProto(double_data=[1.0], float_data=[2.0])
    assert b"".join(raw for _, _, raw in fields(sized.SerializeToString())) == sized.SerializeToString()


@given(st.binary(max_size=60))
def test_any_bytes_are_fields_or_one_of_two_errors(message: bytes) -> None:
    with contextlib.suppress(IndexError, ValueError):
        assert b"".join(raw for _, _, raw in fields(message)) == message


@pytest.mark.parametrize("message", [b"\x80", b"\x0a\x05abc", b"\x0b", b"\x09\x00"])
def test_damage_is_an_error(message: bytes) -> None:
    with pytest.raises((IndexError, ValueError)):
        list(fields(message))

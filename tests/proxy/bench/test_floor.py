"""The floor is arithmetic over measured rates; what the rates are is not looked at."""

import pytest

from classifier import registry
from classifier.features import NUMBERS
from classifier.records import LABELS
from classifier.runtime import CPU
from proxy.bench import floor
from proxy.bench.floor import Needs, Rates


@pytest.mark.parametrize(
    ("bytes_", "operations", "expected"),
    [(100.0, 1.0, (100 * 8 + 40) / 10), (1.0, 100.0, 100 * 8 / 5)],  # bound by memory, by arithmetic
)
def test_the_scarcer_of_memory_and_arithmetic_counts_and_copies_come_on_top(
    bytes_: float, operations: float, expected: float
) -> None:
    moved = 4 * 8 * (64 + len(NUMBERS)) / 100 + 4 * 8 * len(LABELS) / 200
    needs = Needs(64, bytes_, operations, weights=40)
    assert floor.seconds(needs, Rates(copy=10, matmul=5, upload=100, download=200), 8) == pytest.approx(
        expected + moved
    )


def test_a_devices_rates_are_measured() -> None:
    rates = floor.rates("cpu", CPU)
    assert min(rates.copy, rates.matmul, rates.upload, rates.download) > 0


def test_the_shipped_models_needs_grow_with_its_tokens() -> None:
    data = (registry.base() / registry.MODEL).read_bytes()
    short, long = (floor.needs(data, length) for length in (64, 512))
    assert 4 < long.operations / short.operations < 8
    assert 4 < long.bytes / short.bytes < 8
    assert short.weights == long.weights > 0
    assert (
        1e5 < short.operations < 5e6
    )  # `training.network.Config` says about 2 MFLOP at 512 tokens, stem and deep alone


@pytest.mark.parametrize(
    ("kernel", "expected"),
    [
        ({"op_name": "FusedConv", "input_type_shape": [{"float": [8, 24, 64]}, {"float": [64, 24, 6]}],
          "output_type_shape": [{"float": [8, 64, 17]}]}, 2 * 8 * 64 * 17 * 24 * 6),
        ({"op_name": "Gemm", "input_type_shape": [{"float": [8, 128]}, {"float": [14]}],
          "output_type_shape": [{"float": [8, 14]}]}, 2 * 8 * 14 * 128),
        ({"op_name": "Relu", "input_type_shape": [{"float": [8, 4]}], "output_type_shape": [{"float": [8, 4]}]}, 32),
    ],
)  # fmt: skip
def test_operations_are_counted_from_shapes(kernel: dict[str, object], expected: int) -> None:
    assert floor._operations(kernel) == expected

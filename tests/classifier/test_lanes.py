"""Records come out of batches of fixed shapes as they come out alone, whatever stands beside them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from classifier import runtime
from classifier.artifact import Floats, Model, ModelCard, ModelRefused
from classifier.features import BLOCK, NUMBERS, SCHEMA, WINDOW, Features, extract
from classifier.lanes import LENGTHS, SHAPES, TOKENS, Batch, Lanes, Shape, batches
from classifier.records import LABELS, FlowRecord
from classifier.training.export import export
from classifier.training.network import LARGE, Config, Network
from models import tiny_model

FEW = (Shape(1, 64), Shape(4, 64), Shape(2, 256), Shape(8, 256), Shape(1, WINDOW), Shape(3, WINDOW))
SMALL = Config(buckets=512, grams_dim=4, bytes_dim=4, stem=8, deep=8, hidden=16)
NETWORKS = {
    "small": SMALL,
    "column and site head": replace(SMALL, column=8, site_head=True),
    "large": LARGE,
}


def record(length: int, windows: int = 1, seed: int = 0) -> Features:
    rng = np.random.default_rng(seed)
    return Features(rng.integers(1, 3072, (windows, length), np.int32), rng.random(len(NUMBERS), np.float32))


def exported(config: Config, path: Path) -> Model:
    """A network of random weights, heads that start silent too, as the proxy would load it."""
    torch.manual_seed(5)
    network = Network(config)
    for weight in network.parameters():
        if not weight.any():
            torch.nn.init.normal_(weight, std=0.05)
    if network.column is not None:
        network.column.grams.data[0] = 0.0  # padding's bucket, which training leaves alone
    rows = [extract(FlowRecord(host="a.example", path="/a?b=c")), extract(FlowRecord(kind="dns", qname="c.example"))]
    export(network.eval(), path, ModelCard(schema=SCHEMA, labels=list(LABELS), method="test"), rows)
    return Model.load(path, "cpu")


@pytest.fixture(scope="module", params=NETWORKS)
def lanes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Lanes:
    return Lanes(exported(NETWORKS[request.param], tmp_path_factory.mktemp("lanes") / "m.onnx"), FEW)


def judged(lanes: Lanes, records: list[Features]) -> list[Floats]:
    found: dict[int, Floats] = {}
    for batch in lanes.plan(records):
        windows = lanes.run([records[place] for place in batch.members], batch.length)
        found |= {place: one.copy() for place, one in zip(batch.members, windows, strict=True)}
    return [found[place] for place in range(len(records))]


def alone(lanes: Lanes, row: Features) -> Floats:
    return lanes.model.run(row.tokens, np.repeat(row.numbers[None], len(row.tokens), 0))[0]


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.integers(1, WINDOW // BLOCK), st.integers(1, 7)), max_size=12))
def test_padding_and_neighbours_change_nothing(lanes: Lanes, sizes: list[tuple[int, int]]) -> None:
    records = [record(blocks * BLOCK, windows, seed) for seed, (blocks, windows) in enumerate(sizes)]
    for row, found in zip(records, judged(lanes, records), strict=True):
        np.testing.assert_allclose(found, alone(lanes, row), atol=2e-6)


def test_what_a_lane_held_before_changes_nothing(lanes: Lanes) -> None:
    long, short = record(WINDOW, seed=1), record(BLOCK, seed=2)
    (before,) = judged(lanes, [short])
    judged(lanes, [long, long, long])
    (after,) = judged(lanes, [short])
    np.testing.assert_array_equal(before, after)


def test_the_smallest_lane_that_holds_a_batch_is_taken(lanes: Lanes) -> None:
    for rows, length, expected in [
        (1, 32, (1, 64)),
        (2, 64, (4, 64)),
        (5, 64, (8, 256)),
        (2, 65, (2, 256)),
        (2, 900, (3, WINDOW)),
    ]:
        assert lanes.pick(rows, length).shape == expected
    assert (lanes.most(64), lanes.most(65), lanes.most(WINDOW)) == (8, 8, 3)


def test_every_window_has_a_lane_and_none_is_too_large() -> None:
    assert {shape.length for shape in SHAPES} == set(LENGTHS)
    assert max(LENGTHS) == WINDOW
    assert all(shape.rows * shape.length <= TOKENS for shape in SHAPES)
    assert all(Shape(1, length) in SHAPES for length in LENGTHS)


def test_on_a_cpu_nothing_is_captured(lanes: Lanes) -> None:
    assert [lane.graph for lane in lanes.all] == [False] * len(FEW)
    assert all(lane.seconds > 0 for lane in lanes.all)


@pytest.mark.parametrize(
    ("launch", "expected"),
    [
        (0.0, [Batch([3], 512), Batch([1, 4], 128), Batch([0, 2], 64)]),  # only the tokens cost: nothing is stretched
        (1e9, [Batch([3, 1, 4], 512), Batch([0, 2], 512)]),  # only the launch costs: all together
        (64.0, [Batch([3], 512), Batch([1, 4, 0], 128), Batch([2], 128)]),
    ],
)
def test_lengths_are_put_together_where_that_is_cheaper(launch: float, expected: list[Batch]) -> None:
    sizes = [(1, 64), (1, 128), (1, 64), (1, 512), (1, 128)]

    def cost(rows: int, length: int) -> float:
        return launch + rows * length / 2

    assert batches(sizes, cost, lambda _: 3) == expected


def test_a_record_of_more_windows_than_a_batch_stands_alone() -> None:
    assert batches([(2, 64), (9, 64), (1, 64)], lambda *_: 1.0, lambda _: 4) == [
        Batch([0], 64),
        Batch([1], 64),
        Batch([2], 64),
    ]
    assert batches([], lambda *_: 1.0, lambda _: 4) == []


@pytest.mark.gpu
@pytest.mark.skipif(not runtime.has_nvidia(), reason="no NVIDIA device")
@pytest.mark.parametrize("network", NETWORKS)
def test_on_a_gpu_batches_come_out_as_on_the_cpu(network: str, tmp_path: Path) -> None:
    cpu = exported(NETWORKS[network], tmp_path / "m.onnx")
    lanes = Lanes(Model.load(tmp_path / "m.onnx", "cuda"))
    records = [record(BLOCK * (1 + seed % 32), 1 + seed % 3, seed) for seed in range(200)]
    for row, found in zip(records, judged(lanes, records), strict=True):
        expected = cpu.run(row.tokens, np.repeat(row.numbers[None], len(row.tokens), 0))[0]
        np.testing.assert_allclose(found, expected, atol=2e-2)


@pytest.mark.gpu
@pytest.mark.skipif(not runtime.has_nvidia(), reason="no NVIDIA device")
def test_on_a_gpu_a_captured_lane_says_what_it_said_before(tmp_path: Path) -> None:
    exported(SMALL, tmp_path / "m.onnx")
    lanes = Lanes(Model.load(tmp_path / "m.onnx", "cuda"))
    for lane in lanes.all:
        lane.fill(0, *record(lane.shape.length))
        lane.graph = False
        before = lane.run(1).copy()
        lane.graph = True
        np.testing.assert_allclose(lane.run(1), before, atol=1e-3)


class Seeing(Model):
    """A model that tells short records from long ones by their padding."""

    def run(self, tokens: npt.NDArray[np.int32], numbers: Floats) -> tuple[Floats, Floats]:
        """Skewed."""
        probabilities, embedding = super().run(tokens, numbers)
        return probabilities + np.float32(tokens.shape[1] / WINDOW), embedding


def test_a_model_that_sees_padding_is_refused(tmp_path: Path) -> None:
    model = Model.load(tiny_model(tmp_path / "m.onnx"), "cpu")
    with pytest.raises(ModelRefused, match="one by one"):
        Lanes(Seeing(model.session(graphs=False), model.card, model.release), FEW)

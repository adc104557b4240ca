"""A model at fixed shapes: what a GPU wants. `Lanes` takes records of any lengths and runs them in few, full batches.

    records ── grouped by length ──▶ batches ── padded ──▶ the smallest lane that holds one ──▶ probabilities

A lane is one shape with memory of its own that stays where it is: inputs are copied into it, the session is bound to it
(IO binding), and on CUDA its run may be captured once as a graph and replayed, which spares launching ~40 kernels one
by one. Padding changes no result: token 0 is blind in every part of the network (`training.network`), and rows do not
see each other.

Whether a graph wins is measured for each lane when it is made. So is what a run takes: batches of different lengths are
put together where one padded run costs less than two. Everything here belongs to the one thread that makes it, because
onnxruntime keeps captured graphs by thread (CUDAExecutionProvider::PerThreadContext).
"""

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from classifier.artifact import TOLERANCE, TOLERANCE_CUDA, Floats, Model
from classifier.card import ModelRefused
from classifier.features import NUMBERS, WINDOW, Features
from classifier.records import LABELS
from classifier.runtime import CUDA, LOADING, TURN

log = logging.getLogger(__name__)

LENGTHS: Final = (64, 128, 256, 512, WINDOW)
ROWS: Final = (1, 8, 32, 128, 512, 2048)
TOKENS: Final = 1 << 18
"""Of the largest batch: a GPU is busy with as many, and a lane's memory stays small (1 MiB of tokens)."""
_TRIES: Final = 3
_SKIP: Final = "-1"
"""onnxruntime's `gpu_graph_id` of a run that is neither captured nor replayed."""


class Shape(NamedTuple):
    """Windows and tokens of each."""

    rows: int
    length: int


SHAPES: Final = tuple(Shape(rows, length) for length in LENGTHS for rows in ROWS if rows * length <= TOKENS)


class Batch(NamedTuple):
    """Records that run together: their places in a list, and the length they are padded to."""

    members: list[int]
    length: int


class Lane:
    """One shape. `tokens` int32 [rows, length] and `numbers` float32 [rows, F] are filled, then `run`.

    `seconds` is what a run takes, copies included, `graph` whether it is replayed.
    """

    def __init__(self, session: Any, shape: Shape, number: int) -> None:
        self.shape = shape
        self.tokens = np.zeros(shape, np.int32)
        self.numbers = np.zeros((shape.rows, len(NUMBERS)), np.float32)
        self.graph = False
        self.seconds = 0.0
        self._probabilities = np.zeros((shape.rows, len(LABELS)), np.float32)
        self._session, self._device = session, session.get_providers()[0] == CUDA
        self._number = str(number)
        self._binding = session.io_binding()
        self._inputs = [self._value(array) for array in (self.tokens, self.numbers)]
        self._output = self._value(self._probabilities)
        for name, value in zip(("tokens", "numbers"), self._inputs, strict=True):
            self._binding.bind_ortvalue_input(name, value)
        self._binding.bind_ortvalue_output("probabilities", self._output)

    def fill(self, row: int, tokens: npt.NDArray[np.int32], numbers: Floats) -> int:
        """Lay a record's windows, int32 [W, L] and float32 [F], from `row` on; returns the next free row."""
        end, length = row + len(tokens), tokens.shape[1]
        self.tokens[row:end, :length] = tokens
        self.tokens[row:end, length:] = 0
        self.numbers[row:end] = numbers
        return end

    def run(self, rows: int) -> Floats:
        """Probabilities of the first `rows`, float32 [rows, labels]; on a CPU they last until the next run."""
        return self._on_device()[:rows] if self._device else self._run()[:rows]

    def capture(self) -> None:
        """Capture the run as a graph. Raises what onnxruntime raises where that cannot be."""
        self.graph = True
        for _ in range(2):  # the first run allocates and captures, the second replays
            self.run(self.shape.rows)

    def _on_device(self) -> Floats:
        with TURN:
            for value, array in zip(self._inputs, (self.tokens, self.numbers), strict=True):
                value.update_inplace(array)
            return self._run()

    def _run(self) -> Floats:
        options = ort.RunOptions()
        if self._device:
            options.add_run_config_entry("gpu_graph_id", self._number if self.graph else _SKIP)
        self._session.run_with_iobinding(self._binding, options)
        found: Floats = self._output.numpy() if self._device else self._probabilities
        return found

    def _value(self, array: npt.NDArray[Any]) -> Any:
        return ort.OrtValue.ortvalue_from_numpy(array, "cuda" if self._device else "cpu")


class Lanes:
    """A model's lanes, warmed; `graphs` says whether they could be captured.

    Raises ModelRefused when a lane answers otherwise than the model.
    """

    def __init__(self, model: Model, shapes: Sequence[Shape] = SHAPES) -> None:
        self.model = model
        with LOADING:
            try:
                self._make(shapes, graphs=model.provider == CUDA)
            except Exception as error:
                if model.provider != CUDA:
                    raise
                # No graphs, then; a session that failed with some would fail again in service.
                log.warning("CUDA graphs are not used: %s", " ".join(str(error).split())[:200])
                self._make(shapes, graphs=False)

    def _make(self, shapes: Sequence[Shape], *, graphs: bool) -> None:
        session = self.model.session(graphs=graphs)
        self.graphs = graphs
        self.all = [Lane(session, shape, number) for number, shape in enumerate(sorted(shapes, key=_by_length), 1)]
        for lane in self.all:
            self._prove(lane)
            lane.seconds = _timed(lane)
            if self.graphs:
                self._try_graph(lane)

    def _try_graph(self, lane: Lane) -> None:
        lane.capture()
        self._prove(lane)
        seconds = _timed(lane)
        lane.graph = seconds < lane.seconds
        lane.seconds = min(seconds, lane.seconds)

    def _prove(self, lane: Lane) -> None:
        """A few rows of different lengths, padded, against the same rows run one by one as they are."""
        sizes = [lane.shape.length - 16 * row for row in range(min(lane.shape.rows, 4))]
        rows = [np.arange(size, dtype=np.int32)[None] % 255 + 1 + row * 256 for row, size in enumerate(sizes)]
        numbers = np.zeros((1, len(NUMBERS)), np.float32)
        for row, tokens in enumerate(rows):
            lane.fill(row, tokens, numbers[0])
        alone = np.concatenate([self.model.run(tokens, numbers)[0] for tokens in rows])
        difference = float(np.abs(lane.run(len(rows)) - alone).max())
        if not difference <= (TOLERANCE_CUDA if self.model.provider == CUDA else TOLERANCE):
            told = f"{lane.shape.rows} windows of {lane.shape.length} tokens"
            raise ModelRefused("golden", f"in a batch of {told} it differs by {difference:.2g} from one by one")

    def most(self, length: int) -> int:
        """Rows of the largest lane for this length."""
        return max(lane.shape.rows for lane in self.all if lane.shape.length >= length)

    def pick(self, rows: int, length: int) -> Lane:
        """The smallest lane that holds so many windows of so many tokens."""
        return next(lane for lane in self.all if lane.shape.length >= length and lane.shape.rows >= rows)

    def plan(self, records: Sequence[Features]) -> list[Batch]:
        """Records in batches that cost least to run; longest first."""
        lengths = sorted({lane.shape.length for lane in self.all})
        sizes = [(len(row.tokens), next(one for one in lengths if one >= row.tokens.shape[1])) for row in records]
        return batches(sizes, self._cost, self.most)

    def run(self, records: Sequence[Features], length: int) -> list[Floats]:
        """Probabilities of each record's windows, float32 [W, labels]. Raises what onnxruntime raises."""
        windows = sum(len(row.tokens) for row in records)
        if windows > (most := self.most(length)):
            return [self._in_parts(row, length, most) for row in records]
        lane, end, starts = self.pick(windows, length), 0, []
        for tokens, numbers in records:
            starts.append(end)
            end = lane.fill(end, tokens, numbers)
        return np.split(lane.run(end), starts[1:])

    def _in_parts(self, record: Features, length: int, most: int) -> Floats:
        """A record of more windows than a lane has rows."""
        tokens, numbers = record
        parts = [Features(tokens[start : start + most], numbers) for start in range(0, len(tokens), most)]
        return np.concatenate([self.run([part], length)[0].copy() for part in parts])

    def _cost(self, rows: int, length: int) -> float:
        full, left = divmod(rows, self.most(length))
        whole = full * self.pick(self.most(length), length).seconds if full else 0.0
        return whole + (self.pick(left, length).seconds if left else 0.0)


def batches(
    sizes: Sequence[tuple[int, int]], cost: Callable[[int, int], float], most: Callable[[int], int]
) -> list[Batch]:
    """Put records of `sizes` (windows, length of lane) into batches of at most `most(length)` windows.

    A length joins a longer one where `cost(windows, length)` of both together is no more than of each. A record of more
    windows than that is a batch by itself.
    """
    groups: list[tuple[int, int, list[int]]] = []
    for length in sorted({length for _, length in sizes}, reverse=True):
        members = [place for place, size in enumerate(sizes) if size[1] == length]
        rows = sum(sizes[place][0] for place in members)
        if groups:
            longer, before, others = groups[-1]
            if cost(before + rows, longer) <= cost(before, longer) + cost(rows, length):
                groups[-1] = (longer, before + rows, others + members)
                continue
        groups.append((length, rows, members))
    return [Batch(part, length) for length, _, members in groups for part in _cut(members, sizes, most(length))]


def _cut(members: Iterable[int], sizes: Sequence[tuple[int, int]], most: int) -> list[list[int]]:
    parts: list[list[int]] = []
    rows = most
    for place in members:
        windows = sizes[place][0]
        if rows + windows > most:
            parts.append([])
            rows = 0
        parts[-1].append(place)
        rows += windows
    return parts


def _by_length(shape: Shape) -> tuple[int, int]:
    return shape.length, shape.rows


def _timed(lane: Lane) -> float:
    """Seconds of the quickest of a few runs."""
    found = []
    for _ in range(_TRIES):
        started = time.perf_counter()
        lane.run(lane.shape.rows)
        found.append(time.perf_counter() - started)
    return min(found)

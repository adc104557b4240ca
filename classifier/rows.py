"""A capture row and its columns: `CaptureRow` <-> Arrow, the schema of the capture store.

One row is a masked record, the numbers its features gave, and what was decided. Each field of the record is a
column of its own, so that DuckDB or pyarrow.dataset can query captures without this package.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from itertools import accumulate, chain
from typing import Any, Final, get_args

import msgspec
import numpy as np
import pyarrow as pa

from classifier.records import FlowRecord, Label, Phase, Verdict

PHASES: Final[tuple[Phase, ...]] = get_args(Phase)
"""In the order of a flow's life."""


class CaptureRow(msgspec.Struct, kw_only=True):
    """What is kept of one flow at one phase.

    `record` is masked already. `numbers` float32 [F] are the numeric features under the feature schema `schema`.
    `verdicts` holds each phase's judgement so far; `release` is the model that gave the last one.
    """

    record: FlowRecord
    numbers: np.ndarray[Any, np.dtype[np.float32]] | Sequence[float] = ()
    schema: str = ""
    verdicts: dict[Phase, Verdict] = {}
    action: str = "allow"
    enforced: bool = False
    event: str = ""
    release: str = ""


_HEADERS: Final = pa.list_(pa.struct([("name", pa.string()), ("value", pa.string())]))
_SCORES: Final = pa.map_(pa.string(), pa.float32())
_TYPES: Final = {
    "time": pa.float64(),
    "seconds": pa.float64(),
    "port": pa.int32(),
    "client_port": pa.int32(),
    "status": pa.int32(),
    "bytes_up": pa.int64(),
    "bytes_down": pa.int64(),
    "alpn": pa.list_(pa.string()),
    "answers": pa.list_(pa.string()),
    "request_headers": _HEADERS,
    "response_headers": _HEADERS,
    "request_body": pa.binary(),
    "response_body": pa.binary(),
    "message": pa.binary(),
}
_RECORD: Final = tuple((name, _TYPES.get(name, pa.string())) for name in FlowRecord.__struct_fields__)
_DECISION: Final = (
    ("numbers", pa.list_(pa.float32())),
    ("schema", pa.string()),
    ("action", pa.string()),
    ("enforced", pa.bool_()),
    ("event", pa.string()),
    ("release", pa.string()),
)
_VERDICT: Final = (("label", pa.string()), ("threat", pa.float64()), ("scores", _SCORES), ("model", pa.string()))

_SCORES_AT: Final = [name for name, _ in _VERDICT].index("scores")

SCHEMA: Final = pa.schema(
    [*_RECORD, *_DECISION, *((f"{phase}_{name}", kind) for phase in PHASES for name, kind in _VERDICT)]
)
"""`connect_label`, `request_threat`, `response_scores`, … are null where that phase was not judged."""


def encode(rows: Sequence[CaptureRow]) -> pa.RecordBatch:
    """Rows as one Arrow batch of `SCHEMA`. Raises pa.ArrowException or ValueError when a value does not fit."""
    records = [row.record for row in rows]
    columns = [_column([getattr(record, name) for record in records], kind) for name, kind in _RECORD]
    columns += [_column([getattr(row, name) for row in rows], kind) for name, kind in _DECISION]
    for phase in PHASES:
        columns += _verdict_columns([row.verdicts.get(phase) for row in rows])
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def decode(batch: pa.RecordBatch) -> Iterator[CaptureRow]:
    """Rows of a batch. Columns of an older or newer schema are taken where known and default where missing."""
    for values in batch.to_pylist():
        yield _row(values)


# Nested columns are laid out flat before Arrow sees them: that takes a third of the time that it needs for pairs.


def _column(values: list[Any], kind: pa.DataType) -> pa.Array:
    if kind is not _HEADERS:
        return pa.array(values, kind)
    pairs = list(chain.from_iterable(values))
    columns = [pa.array([pair[place] for pair in pairs], pa.string()) for place in (0, 1)]
    structs = pa.StructArray.from_arrays(columns, fields=list(_HEADERS.value_type))
    return pa.ListArray.from_arrays(_offsets(values), structs)


def _verdict_columns(verdicts: list[Verdict | None]) -> list[pa.Array]:
    """The columns of one phase. Most phases are nobody's."""
    if not any(verdicts):
        return [pa.nulls(len(verdicts), kind) for _, kind in _VERDICT]
    columns = [
        pa.array([None if verdict is None else getattr(verdict, name) for verdict in verdicts], kind)
        for name, kind in _VERDICT
        if kind is not _SCORES
    ]
    columns.insert(_SCORES_AT, _scores([None if verdict is None else verdict.scores for verdict in verdicts]))
    return columns


def _scores(scores: list[dict[Label, float] | None]) -> pa.Array:
    given = [each for each in scores if each is not None]
    ends = iter(_offsets(given))
    # A null list is one whose offset is null; the last offset never is.
    offsets = [next(ends) if each is not None else None for each in scores] + [next(ends)]
    labels = pa.array(list(chain.from_iterable(given)), pa.string())
    values = pa.array([value for each in given for value in each.values()], pa.float32())
    return pa.MapArray.from_arrays(pa.array(offsets, pa.int32()), labels, values)


def _offsets(values: Iterable[Sized]) -> list[int]:
    return [0, *accumulate(map(len, values))]


def _row(values: dict[str, Any]) -> CaptureRow:
    record = {
        name: _READ.get(name, _same)(values[name])
        for name in FlowRecord.__struct_fields__
        if values.get(name) is not None
    }
    decision = {name: values[name] for name, _ in _DECISION if values.get(name) is not None}
    return CaptureRow(record=FlowRecord(**record), verdicts=_verdicts(values), **decision)


def _verdicts(values: dict[str, Any]) -> dict[Phase, Verdict]:
    return {
        phase: Verdict(
            label=Label(values[f"{phase}_label"]),
            threat=values[f"{phase}_threat"],
            scores={Label(label): score for label, score in values[f"{phase}_scores"]},
            model=values[f"{phase}_model"],
        )
        for phase in PHASES
        if values.get(f"{phase}_label") is not None
    }


def _same(value: Any) -> Any:
    return value


def _pairs(value: list[dict[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple((pair["name"], pair["value"]) for pair in value)


_READ: Final[dict[str, Callable[[Any], Any]]] = {
    "request_headers": _pairs,
    "response_headers": _pairs,
    "alpn": tuple,
    "answers": tuple,
    "label": Label,
}

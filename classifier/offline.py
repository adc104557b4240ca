"""Judging files of recorded traffic: chunks in, verdicts as JSON lines out, on one core or on all.

    for result in run(source("", Path("state")), chunks(["a.jsonl", "b.har"])): ...

Memory is bounded: a chunk is a few thousand flows, and only a few chunks are under way at once. The first are
judged in this process; an input that goes on gets one process for each core, each with a model of its own
(extraction and CPU scoring are both serial work). The order of the input is kept.
"""

import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from importlib.metadata import entry_points
from itertools import batched, islice
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import msgspec

from classifier import importers
from classifier.artifact import Model
from classifier.card import OperatingPoints
from classifier.errors import UserError
from classifier.features import extract
from classifier.importers import BadLine, jsonl
from classifier.records import FlowRecord, Verdict
from classifier.registry import MODEL, Registry
from classifier.runtime import CUDA
from classifier.scorer import BadScore, Scorer
from classifier.thresholds import Thresholds

LINES: Final = 2000
"""Flows of a chunk."""
CHUNK_BYTES: Final = 4 * 1024 * 1024
"""A chunk of JSON lines ends here even when it has fewer flows: a line may hold bodies."""
ALONE: Final = 3
"""Chunks that are judged before it pays to start more processes (each costs about a second of imports)."""
POLICY: Final = "sluice.policy"
"""Entry points of this group make a policy from a configuration: `(file, operating points) -> Decide`."""

Decide = Callable[[FlowRecord, Verdict], str]
"""The action for a judged record."""


class Chunk(msgspec.Struct):
    """Some flows of one file: lines yet to be read, the first being line `first`, or records. `size` is bytes."""

    name: str
    first: int = 1
    lines: list[bytes] = []
    records: list[FlowRecord | BadLine] = []
    size: int = 0


class Result(msgspec.Struct):
    """What became of a chunk: verdicts as JSON lines (each ends in a newline), and what could not be judged."""

    lines: bytes
    bad: list[BadLine]
    count: int
    size: int


class Source(msgspec.Struct):
    """What to judge with; can be sent to another process. `data` is the model file."""

    data: bytes
    release: str = ""
    config: Path | None = None


def source(model: str, state: Path, config: Path | None = None) -> Source:
    """The model named by a path or release id, empty for the stable channel of `state`. Raises UserError."""
    path = Path(model)
    if model and path.exists():
        path = path / MODEL if path.is_dir() else path
        try:
            return Source(path.read_bytes(), "", config)
        except OSError as error:
            raise UserError(f"cannot read the model {path}: {error.strerror}") from None
    registry = Registry(state)
    release = model or registry.resolve()
    return Source(registry.read(release, MODEL), release, config)


class Judge:
    """A loaded model and a policy. Raises UserError (ModelRefused among them) when either is unfit."""

    def __init__(self, source: Source) -> None:
        model = Model.from_bytes(source.data, release=source.release)
        self.provider = model.provider
        self._scorer = Scorer(model)
        self._decide = _policy(source.config, model.card.operating_points)

    def judge(self, chunk: Chunk) -> Result:
        """Judge a chunk."""
        found = chunk.records or list(jsonl.parse(chunk.lines, chunk.name, chunk.first))
        bad = [each for each in found if isinstance(each, BadLine)]
        records = [each for each in found if not isinstance(each, BadLine)]
        features = [extract(record) for record in records]
        try:
            verdicts = self._scorer.score_many(features)
        except BadScore:
            return self._singly(Result(b"", bad, len(found), chunk.size), records)
        lines = [self._line(record, verdict) for record, verdict in zip(records, verdicts, strict=True)]
        return Result(b"".join(lines), bad, len(found), chunk.size)

    def _singly(self, result: Result, records: list[FlowRecord]) -> Result:
        """One record the model cannot judge must not cost the others of its chunk."""
        for record in records:
            try:
                result.lines += self._line(record, self._scorer.score(extract(record)))
            except BadScore as error:
                result.bad.append(BadLine(record.id, str(error)))
        return result

    def _line(self, record: FlowRecord, verdict: Verdict) -> bytes:
        return _encoder.encode(
            {
                "id": record.id,
                "kind": record.kind,
                "phase": record.phase,
                "label": verdict.label,
                "threat": verdict.threat,
                "scores": verdict.scores,
                "action": self._decide(record, verdict),
                "model": verdict.model,
            }
        ) + b"\n"  # fmt: skip


def chunks(files: Iterable[str]) -> Iterator[Chunk]:
    """The flows of files in their order; `-` is standard input. Raises UserError when one cannot be opened."""
    for name in files:
        with importers.open_file(name) as file:
            if importers.sniff(file, name) == "jsonl":
                yield from _lines(file, name)
                continue
            before = 0
            for records in batched(importers.records(file, name), LINES):
                after = file.tell() if file.seekable() else 0
                yield Chunk(name, records=list(records), size=max(after - before, 0))
                before = after


def run(source: Source, work: Iterable[Chunk], *, processes: int | None = None) -> Iterator[Result]:
    """Judge chunks in order. Raises UserError when the model or the policy is unfit."""
    judge = Judge(source)
    work = iter(work)
    yield from map(judge.judge, islice(work, ALONE))
    following = next(work, None)
    if following is None:
        return
    work = _chain(following, work)
    count = processes or len(os.sched_getaffinity(0))
    if count == 1 or judge.provider == CUDA:  # a GPU is shared badly and is not what limits us
        yield from map(judge.judge, work)
    else:
        yield from _pooled(source, work, count)


def _pooled(source: Source, work: Iterator[Chunk], count: int) -> Iterator[Result]:
    # Not forked: onnxruntime's threads do not survive it.
    pool = ProcessPoolExecutor(count, get_context("spawn"), initializer=_start, initargs=(source,))
    try:
        waiting: deque[Future[Result]] = deque()
        for chunk in work:
            waiting.append(pool.submit(_judge, chunk))
            if len(waiting) > 2 * count:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


_worker: Judge


def _start(source: Source) -> None:
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends us
    _worker = Judge(source)


def _judge(chunk: Chunk) -> Result:
    return _worker.judge(chunk)


_encoder: Final = msgspec.json.Encoder()


def _chain(first: Chunk, rest: Iterator[Chunk]) -> Iterator[Chunk]:
    yield first
    yield from rest


def _lines(file: Iterable[bytes], name: str) -> Iterator[Chunk]:
    chunk = Chunk(name)
    number = 1
    for number, line in enumerate(file, 2):
        chunk.lines.append(line)
        chunk.size += len(line)
        if len(chunk.lines) >= LINES or chunk.size >= CHUNK_BYTES:
            yield chunk
            chunk = Chunk(name, number)
    if chunk.lines:
        yield chunk


def _policy(config: Path | None, points: OperatingPoints) -> Decide:
    """The actions of a configuration; without one, of the model's own operating points."""
    if config is None:
        thresholds = Thresholds(points)
        return lambda record, verdict: thresholds.decide(record, verdict)[0]
    for entry in entry_points(group=POLICY):
        make: Callable[[Path, OperatingPoints], Decide] = entry.load()
        return make(config, points)
    raise UserError(f"nothing installed here reads policies like {config}; leave --config out")

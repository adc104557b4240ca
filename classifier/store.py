"""The capture store: each worker writes its own files, anybody reads them all.

`CaptureWriter` appends rows from a thread of its own (see `classifier.segments` for the files) and survives
`kill -9` with at most the last second lost. `read` gives each flow once, as it was last seen.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Container, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final

import numpy as np
import pyarrow as pa

from classifier.errors import UserError
from classifier.latest import Share, choose, positions
from classifier.rows import CaptureRow, decode, encode
from classifier.segments import Stream, create, private, recover, retain

__all__ = ["CaptureRow", "CaptureWriter", "Share", "read"]

log = logging.getLogger(__name__)

_TICK: Final = 0.5
"""Seconds between flushes: half of what a crash may lose."""
_BATCH: Final = 256
"""Rows encoded at once: enough to share the cost of a batch (18 µs a row against 44 with 64 rows), few enough for a
proxy's event loop, which waits for the interpreter lock meanwhile, a column at a time."""
_BATCH_BYTES: Final = 128 * 1024
"""Bytes of bodies that end a batch before that."""
_STREAM_BYTES: Final = 64 * 1024 * 1024
"""A stream that reaches this is sealed whatever its rows and age."""
_SWEEP: Final = 60.0
"""Seconds between looks at retention when nothing was sealed."""


class CaptureWriter:
    """Writes one worker's captures; `offer` never waits.

    `max_age` is seconds, `max_bytes` bounds all captures under `root` (of every worker); beyond either, the
    oldest sealed files go. A stream is sealed after `rows` rows or `seconds` seconds. `queue` rows wait at most.
    `dropped` counts rows refused because the queue was full, `errors` rows lost to a failed write,
    `written` rows handed to the operating system. Raises UserError when `root` cannot be written to.
    """

    def __init__(
        self,
        root: Path,
        *,
        worker: str,
        max_age: float,
        max_bytes: int,
        rows: int = 5000,
        seconds: float = 300.0,
        queue: int = 10_000,
    ) -> None:
        self.root, self.worker = Path(root), worker
        self.max_age, self.max_bytes = max_age, max_bytes
        self.rows, self.seconds, self.limit = rows, seconds, queue
        self.dropped = self.errors = self.written = 0
        self._queue: SimpleQueue[CaptureRow] = SimpleQueue()
        self._stream: Stream | None = None
        self._failing = False
        self._swept = 0.0
        self._stop = threading.Event()
        _probe(self.root)
        self._thread = threading.Thread(target=self._run, name="captures", daemon=True)
        self._thread.start()

    def offer(self, row: CaptureRow) -> bool:
        """Queue a row; False when it was dropped because the queue is full or closed. Never blocks or raises."""
        if self._queue.qsize() >= self.limit or self._stop.is_set():
            self.dropped += 1
            return False
        self._queue.put(row)
        return True

    @property
    def waiting(self) -> int:
        """Rows in the queue."""
        return self._queue.qsize()

    def close(self) -> None:
        """Write what is queued, seal it, and end the thread."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        self._guard(partial(recover, self.root), 0)
        while not self._stop.wait(_TICK):
            self._step()
        self._step()
        self._seal()

    def _step(self) -> None:
        """One tick: write what waits, make it durable, seal and sweep when due."""
        while rows := self._take():
            self._guard(partial(self._append, rows), len(rows))
            if self._stream is not None and self._due(self._stream):
                self._seal()
        if self._stream is not None:
            self._guard(self._stream.flush, self._stream.unflushed)
        if self._stream is not None and self._due(self._stream):
            self._seal()
        elif time.monotonic() - self._swept > _SWEEP:
            self._sweep()

    def _take(self) -> list[CaptureRow]:
        rows: list[CaptureRow] = []
        room = min(_BATCH, max(1, self.rows - (self._stream.rows if self._stream else 0)))
        size = 0
        try:
            while len(rows) < room and size < _BATCH_BYTES:
                rows.append(self._queue.get_nowait())
                size += len(rows[-1].record.request_body) + len(rows[-1].record.response_body)
        except Empty:
            pass
        return rows

    def _append(self, rows: list[CaptureRow]) -> None:
        batch = self._encode(rows)
        if batch.num_rows == 0:
            return
        if self._stream is None:
            self._stream = Stream(self.root / f"date={datetime.now(UTC):%Y-%m-%d}" / f"proxy={self.worker}")
        self._stream.append(batch)
        self.written += batch.num_rows

    def _encode(self, rows: list[CaptureRow]) -> pa.RecordBatch:
        """An unfit row (a port beyond 32 bits, a half surrogate) costs itself, not its batch."""
        try:
            return encode(rows)
        except (pa.ArrowException, ValueError, TypeError, OverflowError):
            if len(rows) == 1:
                self.errors += 1
                return encode([])
        return pa.concat_batches([self._encode([row]) for row in rows])

    def _due(self, stream: Stream) -> bool:
        size = min(_STREAM_BYTES, max(self.max_bytes // 4, 1))
        return stream.rows >= self.rows or stream.age >= self.seconds or stream.size >= size

    def _guard(self, action: Callable[[], object], lost: int) -> None:
        """Do it. A failure costs `lost` rows and the current stream, is logged once, and never leaves here."""
        try:
            action()
            self._failing = self._failing and lost == 0  # deleting old files proves nothing about writing
        except Exception as error:  # whatever it is, captures must not end for good because of it
            self.errors += lost
            if not self._failing:
                log.error("captures cannot be written to %s: %s; rows are lost until they can", self.root, error)
            self._failing = True
            stream, self._stream = self._stream, None
            if stream is not None:
                stream.abandon()

    def _seal(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            self._guard(stream.seal, 0)
        self._sweep()

    def _sweep(self) -> None:
        self._swept = time.monotonic()
        self._guard(partial(retain, self.root, max_age=self.max_age, max_bytes=self.max_bytes), 0)


def read(
    source: Path | Iterable[Path],
    *,
    since: float | None = None,
    unreadable: list[Path] | None = None,
    share: Share | None = None,
    named: Container[str] = (),
) -> Iterator[CaptureRow]:
    """Rows of a capture directory or of files, each record id once, at its last phase, in file order.

    Streams still being written are read as far as they are whole. `since` (Unix seconds) leaves older flows
    out, `share` all but the newest of those that are not `named` by id or event. A file that cannot be read is named in
    a warning and appended to `unreadable`; the rest goes on.
    """
    bad: list[Path] = [] if unreadable is None else unreadable
    files = _listing(source, since)
    for number, wanted in choose(files, since, bad, share, named).items():
        for position, batch in positions(files[number], bad):
            first, last = np.searchsorted(wanted, (position, position + batch.num_rows))
            if first < last:
                yield from decode(batch.take(wanted[first:last] - position))


def _listing(source: Path | Iterable[Path], since: float | None) -> list[Path]:
    if not isinstance(source, Path):
        return list(source)
    if source.is_file():
        return [source]
    # A stream is named for the day it was begun and takes rows a while into the next.
    first = "" if since is None else f"date={datetime.fromtimestamp(since, UTC) - timedelta(days=1):%Y-%m-%d}"
    files = sorted(path for path in source.glob("date=*/proxy=*/*") if path.parent.parent.name >= first)
    sealed = {path for path in files if path.suffix == ".parquet"}
    # A writer killed between naming the sealed file and removing its stream leaves both.
    return [path for path in files if path in sealed or (path.suffix == ".arrows" and _twin(path) not in sealed)]


def _twin(path: Path) -> Path:
    return path.with_suffix(".parquet")


def _probe(root: Path) -> None:
    """Prove that captures can be written at all, before any flow is."""
    probe = root / f".probe-{os.getpid()}"
    try:
        private(root)
        probe.unlink(missing_ok=True)
        os.close(create(probe))
        probe.unlink()
    except OSError as error:
        raise UserError(
            f"cannot write captures to {root}: {error.strerror}; make it writable or change --state"
        ) from None

"""The files of the capture store: Arrow streams being written, Parquet once sealed, and how long they stay.

    captures/date=2026-01-31/proxy=w1/<uuid>.arrows    being written (locked with flock by its writer)
    captures/date=2026-01-31/proxy=w1/<uuid>.parquet   sealed, zstd

A Parquet file is unreadable until it is closed; a torn Arrow stream loses only its tail. So rows live in a
stream first, and what a dead writer left is sealed by the next one to start. Directories are 0700, files 0600.
"""

import fcntl
import logging
import os
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from classifier.rows import SCHEMA

log = logging.getLogger(__name__)

_GROUP_ROWS: Final = 2000
_GROUP_BYTES: Final = 16 * 1024 * 1024
"""A Parquet row group: large enough to compress, small enough to hold in memory when sealing and reading."""


class Stream:
    """One Arrow stream being written, locked while it is. Raises OSError and pa.ArrowException as files do."""

    def __init__(self, folder: Path) -> None:
        private(folder)
        self.path = folder / f"{uuid.uuid4().hex}.arrows"
        self.rows = self.unflushed = 0
        self._since = time.monotonic()
        # Named only once locked: whoever sees a stream unlocked may then take its writer for dead.
        draft = self.path.with_suffix(".tmp")
        self._file = os.fdopen(create(draft), "wb", buffering=0)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._writer = pa.ipc.new_stream(pa.PythonFile(self._file), SCHEMA)
            draft.rename(self.path)
        except (OSError, pa.ArrowException):
            self._file.close()
            draft.unlink(missing_ok=True)
            raise

    @property
    def age(self) -> float:
        """Seconds since the first row."""
        return time.monotonic() - self._since

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self._file.tell()

    def append(self, batch: pa.RecordBatch) -> None:
        """Hand a batch to the operating system."""
        self._writer.write_batch(batch)
        self.rows += batch.num_rows
        self.unflushed += batch.num_rows

    def flush(self) -> None:
        """Make what was appended durable."""
        if self.unflushed:
            os.fdatasync(self._file.fileno())
            self.unflushed = 0

    def seal(self) -> None:
        """End the stream and turn it into Parquet; the lock goes last."""
        try:
            self._writer.close()
            seal(self.path)
        finally:
            self._file.close()

    def abandon(self) -> None:
        """After a failed write: leave what can be read, or nothing when nothing was written."""
        self._file.close()
        if self.rows == 0:
            self.path.unlink(missing_ok=True)


def batches(path: Path, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
    """The batches of a sealed file, or of a stream as far as it is whole; all columns, or those there are of some.

    Raises OSError or pa.ArrowException when the file cannot be opened as what its name says.
    """
    if path.suffix == ".parquet":
        with pq.ParquetFile(path) as file:
            yield from file.iter_batches(batch_size=_GROUP_ROWS, columns=columns)
        return
    if path.stat().st_size == 0:
        return  # its writer has only just begun, or died then
    with pa.OSFile(str(path)) as file, pa.ipc.open_stream(file) as stream:
        while (batch := _next(stream)) is not None:
            yield batch if columns is None else batch.select([name for name in columns if name in batch.schema.names])


def seal(path: Path) -> Path:
    """Turn a stream into Parquet beside it and remove it. Call with the stream's lock held.

    The Parquet file appears whole or not at all, and keeps the stream's time for `retain`.
    """
    target, draft = path.with_suffix(".parquet"), path.with_suffix(".parquet.tmp")
    stamp = path.stat().st_mtime_ns
    rows = 0
    draft.unlink(missing_ok=True)
    with os.fdopen(create(draft), "wb") as file:
        with pq.ParquetWriter(file, SCHEMA, compression="zstd") as writer:
            for table in _groups(path):
                writer.write_table(table)
                rows += table.num_rows
        file.flush()
        os.fsync(file.fileno())
    if rows:
        os.utime(draft, ns=(stamp, stamp))
        draft.replace(target)
        _sync(target.parent)
    else:
        draft.unlink()
    path.unlink()
    return target


def recover(root: Path) -> int:
    """Seal the streams that dead writers left under `root`; how many. Those being written are left alone."""
    found = 0
    for path in sorted(root.glob("date=*/proxy=*/*.arrows")):
        try:
            with path.open("rb+") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # Another process may have sealed it between our listing and our lock.
                if path.exists():
                    seal(path)
                    found += 1
        except (BlockingIOError, FileNotFoundError):
            continue
        except (OSError, pa.ArrowException) as error:
            log.warning("left-over capture %s cannot be sealed: %s", path, error)
    return found


def retain(root: Path, *, max_age: float, max_bytes: int) -> int:
    """Delete sealed files older than `max_age` seconds, then the oldest until all fit `max_bytes`; how many."""
    files = sorted(_files(root))
    total = sum(size for _, size, _ in files)
    oldest, deleted = time.time() - max_age, 0
    for modified, size, path in files:
        if path.suffix == ".parquet" and (modified < oldest or total > max_bytes):
            path.unlink(missing_ok=True)
            total -= size
            deleted += 1
            _prune(path.parent)
    return deleted


def private(folder: Path) -> None:
    """Make a directory and those above it, for its owner only."""
    if not folder.is_dir():
        private(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


def create(path: Path) -> int:
    """Open a new file for its owner only; its descriptor."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)


def _next(stream: pa.ipc.RecordBatchStreamReader) -> pa.RecordBatch | None:
    """The next whole batch; None at the end, which may be torn."""
    try:
        batch = stream.read_next_batch()
        batch.validate(full=True)
    except (StopIteration, OSError, pa.ArrowException):
        return None
    return batch


def _groups(path: Path) -> Iterator[pa.Table]:
    held: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches(path):
        held.append(batch)
        rows += batch.num_rows
        size += batch.nbytes
        if rows >= _GROUP_ROWS or size >= _GROUP_BYTES:
            yield pa.Table.from_batches(held).cast(SCHEMA)
            held, rows, size = [], 0, 0
    if held:
        yield pa.Table.from_batches(held).cast(SCHEMA)


def _files(root: Path) -> Iterator[tuple[float, int, Path]]:
    for path in root.glob("date=*/proxy=*/*"):
        try:
            status = path.stat()
        except FileNotFoundError:
            continue
        yield status.st_mtime, status.st_size, path


def _prune(folder: Path) -> None:
    """Remove the proxy's and the date's directory once empty."""
    try:
        folder.rmdir()
        folder.parent.rmdir()
    except OSError:
        return  # still in use


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

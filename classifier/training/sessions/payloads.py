"""Raw sessions from Parquet: what was said, of which class, and which rows have been seen before.

A session is the first bytes of both directions in capture order. Addresses are read for one purpose: to split
by server and to say which rows are of a server that was trained on. Ports and protocol are not read at all.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from classifier.errors import UserError
from classifier.evaluate import Bools, Ints

LENGTH: Final = 784
"""Bytes read of a session, as the USTC-TK2016 toolkit cuts them (Wang et al. 2017: 28 x 28 grey pictures)."""
HELD_OUT: Final = 0.1
"""Share of a class's rows whose servers are kept for validation."""
SEEN: Final[tuple[str, ...]] = ("dup_in_train", "server_in_train")
"""Boolean columns of a test file: a training row has the same bytes; one of the same class has the same server."""


@dataclass(frozen=True)
class Sessions:
    """N sessions."""

    payloads: list[bytes]
    """At most LENGTH bytes each, without trailing zeros: the files differ in whether they pad."""
    labels: npt.NDArray[np.str_]
    """[N]."""
    servers: npt.NDArray[np.str_] | None
    """[N], where the file has `server_ip`."""
    seen: dict[str, Bools]
    """Column of SEEN → [N], where the file has it."""

    def __len__(self) -> int:
        return len(self.payloads)

    def take(self, rows: Ints) -> "Sessions":
        """The sessions at `rows`."""
        return Sessions(
            [self.payloads[row] for row in rows],
            self.labels[rows],
            None if self.servers is None else self.servers[rows],
            {name: column[rows] for name, column in self.seen.items()},
        )


def read(path: Path) -> Sessions:
    """Read a Parquet file with the columns `payload` (binary) and `label`; `server_ip` and SEEN where they are there.

    Raises UserError when it cannot be read, lacks one of the two, or has no rows.
    """
    try:
        present = pq.read_schema(path).names
        missing = [name for name in ("payload", "label") if name not in present]
        if missing:
            raise UserError(f"{path}: no column {' and '.join(missing)}; there are {', '.join(present)}")
        wanted = [name for name in ("payload", "label", "server_ip", *SEEN) if name in present]
        columns = dict(zip(wanted, pq.read_table(path, columns=wanted).columns, strict=True))
        payloads = [_cut(payload or b"") for payload in columns["payload"].cast(pa.binary()).to_pylist()]
        seen = {name: columns[name].fill_null(False).cast(pa.bool_()).to_numpy() for name in SEEN if name in columns}
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"cannot read {path}: {' '.join(str(error).split())[:200]}") from None
    if not payloads:
        raise UserError(f"{path} has no rows")
    servers = _texts(columns["server_ip"]) if "server_ip" in columns else None
    return Sessions(payloads, _texts(columns["label"]), servers, seen)


def split(sessions: Sessions, seed: int = 0, share: float = HELD_OUT) -> tuple[Ints, Ints]:
    """Rows to learn from and rows to judge by: no server and no byte string is on both sides, none twice on the second.

    In each class whole servers are drawn until the next would exceed `share` of its rows; where not even one fits,
    the smallest goes. What is left of the drawn rows after servers and bytes of the first side are struck out is the
    second side, so a class of one server, or one that repeats itself, may have no row there. Raises UserError
    without servers.
    """
    if sessions.servers is None:
        raise UserError("a split by server needs the column server_ip; give a TEST file instead")
    rng = np.random.default_rng(seed)
    drawn = np.zeros(len(sessions), np.bool_)
    for label in np.unique(sessions.labels):
        rows = np.flatnonzero(sessions.labels == label)
        drawn[rows[_draw(sessions.servers[rows], share, rng)]] = True
    learned = np.flatnonzero(~drawn)
    servers = set(sessions.servers[learned])
    bodies = {sessions.payloads[row] for row in learned}
    judged: list[int] = []
    for row in np.flatnonzero(drawn):
        if sessions.servers[row] not in servers and sessions.payloads[row] not in bodies:
            bodies.add(sessions.payloads[row])
            judged.append(int(row))
    return learned, np.asarray(judged, np.int64)


def parts(test: Sessions, train: Sessions) -> Iterator[tuple[str, Bools]]:
    """(name, rows) of the test rows that training has not seen: their bytes, then their server.

    Taken from the file's own columns, else from a comparison with `train`; the second is left out where a file
    has no servers.
    """
    seen = dict(test.seen)
    if SEEN[0] not in seen:
        bodies = set(train.payloads)
        seen[SEEN[0]] = np.asarray([payload in bodies for payload in test.payloads], np.bool_)
    if SEEN[1] not in seen and test.servers is not None and train.servers is not None:
        known = set(zip(train.labels, train.servers, strict=True))
        seen[SEEN[1]] = np.asarray([pair in known for pair in zip(test.labels, test.servers, strict=True)], np.bool_)
    for name in SEEN:
        if name in seen:
            yield f"{name}=false", ~seen[name]


def _draw(servers: npt.NDArray[np.str_], share: float, rng: np.random.Generator) -> Bools:
    """Which rows of one class are those of the drawn servers."""
    _, place, sizes = np.unique(servers, return_inverse=True, return_counts=True)
    room = share * len(servers)
    drawn = np.zeros(len(sizes), np.bool_)
    for server in rng.permutation(len(sizes)):
        if sizes[server] <= room:
            drawn[server] = True
            room -= sizes[server]
    if not drawn.any() and len(sizes) > 1:
        drawn[sizes.argmin()] = True
    chosen: Bools = drawn[place]
    return chosen


def _cut(payload: bytes) -> bytes:
    return payload[:LENGTH].rstrip(b"\0")


def _texts(column: pa.ChunkedArray) -> npt.NDArray[np.str_]:
    texts: Sequence[object] = column.to_pylist()
    return np.asarray([str(value) for value in texts], np.str_)

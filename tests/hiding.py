"""One unmasked secret in each kind of container: what proves that `reading` finds what is there.

Each function of `VALUES` and `BYTES` writes a secret into a copy of a state directory and gives the file. In the first
the reader of the file's format must find it, in the others the bytes must give it away.
"""

import base64
import gzip
import sqlite3
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

LEAK: Final = "flow with password=%s in the clear, among other words of other flows that compress well"
Hide = Callable[[Path, str], Path]


def in_parquet(state: Path, secret: str) -> Path:
    """In a row more."""
    path = next(state.rglob("*.parquet"))
    table = pq.read_table(path)
    pq.write_table(pa.concat_tables([table, leaking(table, secret)]), path, compression="zstd")
    return path


def in_a_torn_stream(state: Path, secret: str) -> Path:
    """In the first of two batches; the second is torn."""
    sealed = next(state.rglob("*.parquet"))
    path = sealed.with_name("torn.arrows")
    row = leaking(pq.read_table(sealed), secret)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, row.schema) as stream:
        stream.write_table(row)
        stream.write_table(row)
    path.write_bytes(path.read_bytes()[:-1000])
    return path


def leaking(table: pa.Table, secret: str) -> pa.Table:
    """A row like those of `table` whose body holds the secret as base64."""
    row = table.slice(0, 1).to_pylist()[0] | {"request_body": base64.b64encode((LEAK % secret).encode())}
    return pa.Table.from_pylist([row], table.schema)


def in_sqlite(state: Path, secret: str) -> Path:
    """In a row of the audit trail."""
    with sqlite3.connect(state / "sluice.db") as database:
        database.execute("insert into audit values (1, 'x', ?)", (LEAK % secret,))
    database.close()
    return state / "sluice.db"


def in_a_write_ahead_log(state: Path, secret: str) -> Path:
    """In a row whose page is in the log alone."""
    path = state / "other.db"
    database = sqlite3.connect(path)
    database.executescript("pragma journal_mode = wal; pragma wal_autocheckpoint = 0; create table t (a text)")
    database.execute("insert into t values (?)", (LEAK % secret,))
    database.commit()
    kept = {found: found.read_bytes() for found in state.glob("other.db*")}
    database.close()  # which empties the log
    for file, content in kept.items():
        file.write_bytes(content)
    return path


def as_bytes(name: str, write: Callable[[bytes], bytes]) -> Hide:
    """As a line of a file, written in some way."""

    def hide(state: Path, secret: str) -> Path:
        (state / name).write_bytes(b"a line\n" + write((LEAK % secret).encode()) + b"\nand another")
        return state / name

    return hide


VALUES: Final[dict[str, Hide]] = {
    "Parquet": in_parquet,
    "torn Arrow stream": in_a_torn_stream,
    "SQLite": in_sqlite,
    "write-ahead log": in_a_write_ahead_log,
}
BYTES: Final[dict[str, Hide]] = {
    "log": as_bytes("a.log", bytes),
    "gzip": as_bytes("a.gz", gzip.compress),
    "zlib": as_bytes("a.zz", zlib.compress),
    "zstd": as_bytes("a.zst", zstandard.compress),
    "base64": as_bytes("a.b64", lambda text: b"ab" + base64.b64encode(text)),
    "base64url of gzip": as_bytes("b.b64", lambda text: base64.urlsafe_b64encode(gzip.compress(text))),
    "percent": as_bytes("a.url", lambda text: "".join(f"%25{code:02x}" for code in text).encode()),
    "JSON": as_bytes("a.json", lambda text: "".join(f"\\u{code:04X}" for code in text).encode()),
}
CONTAINERS: Final = [*VALUES, *BYTES]

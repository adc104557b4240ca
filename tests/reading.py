"""Everything that can be read in files, whatever holds it: the search of the tests that look for secrets.

A file gives its bytes and, where it is Parquet, an Arrow stream or SQLite, all its values. Each of these is read as it
is, percent-decoded, unescaped, as base64 wherever a run may begin, and unpacked (gzip, zlib, zstd), and what comes out
is read in the same ways again.
"""

import binascii
import contextlib
import io
import re
import shutil
import sqlite3
import tempfile
import zlib
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote_to_bytes

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

DEPTH: Final = 3
"""Base64 and packed streams within each other; nested percent-encoding and escapes between them count for nothing."""
SHORTEST: Final = 8
"""Letters and digits of the shortest thing that can be looked for."""
_SPACES: Final = bytes(code if chr(code).isalnum() and code < 128 else 32 for code in range(256)).lower()
_NUMBER: Final = re.compile(rb"[0-9][0-9 .+_-]{10,30}[0-9]")
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/_-]{8,}")
_ESCAPE: Final = re.compile(
    rb"\\+(?:u00([0-9A-Fa-f]{2})|x([0-9A-Fa-f]{2})|(.))|&#(?:x0*([0-9A-Fa-f]{2})|0*([0-9]{2,3}));?", re.DOTALL
)
_PACKED: Final = re.compile(rb"\x1f\x8b\x08|\x78[\x01\x5e\x9c\xda]|\x28\xb5\x2f\xfd", re.DOTALL)
_STREAM: Final = b"\xff\xff\xff\xff"

Source = tuple[str, bytes]
"""Where something stands, and what."""


def find(needles: Collection[str], sources: Iterable[Source]) -> dict[str, list[str]]:
    """The needles (letters and digits, `SHORTEST` at least; case is ignored) that can be read in each source.

    Between the digits of a number separators may stand.
    """
    assert all(needle.isalnum() and len(needle) >= SHORTEST for needle in needles)
    found = {}
    for name, raw in sources:
        runs: set[bytes] = set()
        for text in readings(raw):
            numbers = [number.translate(None, b" .+_-") for number in _NUMBER.findall(text)]
            runs.update(run for run in text.translate(_SPACES).split() if len(run) >= SHORTEST)
            runs.update(numbers)
        everything = b"\n".join(runs)
        if here := [needle for needle in needles if needle.lower().encode() in everything]:
            found[name] = here
    return found


def files(folder: Path) -> Iterator[Source]:
    """What every file below `folder` holds: its name, its bytes, its values."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield f"{path} (name)", str(path).encode()
            yield f"{path} (bytes)", path.read_bytes()
            yield f"{path} (values)", b"\n".join(_flat(list(_values(path))))


def readings(raw: bytes) -> Iterator[bytes]:
    """All that can be read in some bytes."""
    level = [raw]
    for depth in range(DEPTH + 1):
        texts = [text for found in level if found for text in {found, _decoded(found)}]
        yield from texts
        if depth < DEPTH:
            level = [_unbase64(texts), *map(_unpacked, texts)]


def _decoded(text: bytes) -> bytes:
    """Percent-encoding and escapes undone until nothing changes."""
    before = b""
    while text != before:
        before = text
        text = unquote_to_bytes(text) if b"%" in text else text
        text = _ESCAPE.sub(_escaped, text) if b"\\" in text or b"&#" in text else text
    return text


def _escaped(escape: re.Match[bytes]) -> bytes:
    """What an escape of JSON, JavaScript or HTML stands for."""
    if escape[3]:
        return b"\n" if escape[3] in b"nr" else escape[3]
    code = int(escape[5]) if escape[5] else int(escape[1] or escape[2] or escape[4], 16)
    return bytes([code]) if code < 256 else b"?"


def _unbase64(texts: Iterable[bytes]) -> bytes:
    """Every run as base64 or base64url, wherever it begins."""
    decoded = []
    for run in {run for text in texts for run in _BASE64.findall(text)}:
        standard = run.replace(b"-", b"+").replace(b"_", b"/")
        for start in range(4):
            whole = standard[start : -1 if (len(run) - start) % 4 == 1 else None]
            decoded.append(binascii.a2b_base64(whole + b"=" * (-len(whole) % 4)))
    return b"\n".join(decoded)


def _unpacked(text: bytes) -> bytes:
    """What unfolds from every place where a packed stream may begin, as far as it goes."""
    return b"\n".join(_unpack(text[found.start() :]) for found in _PACKED.finditer(text))


def _unpack(packed: bytes) -> bytes:
    out = b""
    with contextlib.suppress(zlib.error, zstandard.ZstdError, EOFError):
        if packed[:1] == b"\x28":
            reader = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(packed))
            while part := reader.read(4096):
                out += part
        else:
            out = zlib.decompressobj(47).decompress(packed)
    return out


def _values(path: Path) -> Iterator[Any]:
    with path.open("rb") as file:
        magic = file.read(16)
    if magic.startswith(b"PAR1"):
        yield from pq.ParquetFile(path).read().to_pylist()
    elif magic.startswith(_STREAM):
        yield from _rows(path)
    elif magic.startswith(b"SQLite format 3"):
        yield from _cells(path)


def _rows(path: Path) -> Iterator[Any]:
    """Rows of an Arrow stream, which may be torn."""
    with pa.OSFile(str(path)) as file, contextlib.suppress(pa.ArrowInvalid, OSError, StopIteration):
        stream = pa.ipc.open_stream(file)
        while True:
            yield from stream.read_next_batch().to_pylist()


def _cells(path: Path) -> Iterator[Any]:
    """Rows of every table, those in the write-ahead log too. A copy is opened: opening may change the files."""
    with tempfile.TemporaryDirectory() as folder:
        for suffix in ("", "-wal", "-shm"):
            part = path.with_name(path.name + suffix)
            if part.exists():
                shutil.copy(part, folder)
        connection = sqlite3.connect(Path(folder) / path.name)
        connection.text_factory = bytes
        for (table,) in connection.execute("select name from sqlite_master where type = 'table'").fetchall():
            yield from connection.execute(f'select * from "{table.decode()}"').fetchall()
        connection.close()


def _flat(value: Any) -> Iterator[bytes]:
    if isinstance(value, dict):
        value = list(value.items())
    if isinstance(value, list | tuple):
        for part in value:
            yield from _flat(part)
    elif isinstance(value, bytes):
        yield value
    elif value is not None:
        yield str(value).encode()

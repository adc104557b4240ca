"""Files of recorded traffic as `FlowRecord`s: JSON lines, HAR, mitmproxy dumps, packet captures, Suricata's EVE log.

`read(path)` picks the importer by what the file begins with, then by its name. An importer yields what can be
read and a `BadLine` for what cannot; it raises UserError only when the file cannot be opened at all.
A flow without an id gets `FILE:LINE` (JSON lines, EVE) or `FILE#N` (N counts from 1).
"""

import io
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Final, Literal, NamedTuple, cast

from classifier.errors import UserError
from classifier.records import FlowRecord

Format = Literal["jsonl", "har", "mitm", "pcap", "eve"]

STDIN: Final = "-"
"""The name that stands for standard input."""


class BadLine(NamedTuple):
    """A part of a file that is no record: where it is (`FILE:LINE` or `FILE#N`) and what is wrong."""

    where: str
    reason: str


_MAGIC: Final[tuple[tuple[re.Pattern[bytes], Format], ...]] = (
    (re.compile(rb"\xd4\xc3\xb2\xa1|\xa1\xb2\xc3\xd4|\x4d\x3c\xb2\xa1|\xa1\xb2\x3c\x4d|\n\r\r\n"), "pcap"),
    (re.compile(rb"\d{1,12}:"), "mitm"),
    (re.compile(rb'(\xef\xbb\xbf)?\s*\{\s*"log"\s*:'), "har"),
    (re.compile(rb'(\xef\xbb\xbf)?\s*\{[^\n]*"event_type"\s*:'), "eve"),
)
_SUFFIX: Final[dict[str, Format]] = {
    ".har": "har",
    ".mitm": "mitm",
    ".flow": "mitm",
    ".flows": "mitm",
    ".dump": "mitm",
    ".pcap": "pcap",
    ".pcapng": "pcap",
    ".cap": "pcap",
}


def read(path: Path | str) -> Iterator[FlowRecord | BadLine]:
    """The flows of a file, `-` being standard input. Raises UserError when it cannot be opened."""
    with open_file(path) as file:
        yield from records(file, str(path))


def records(file: io.BufferedReader, name: str) -> Iterator[FlowRecord | BadLine]:
    """The flows of an open file called `name`."""
    module = import_module(f"classifier.importers.{sniff(file, name)}")
    yield from module.read(file, name)


def sniff(file: io.BufferedReader, name: str) -> Format:
    """What an open file holds, without reading past its first bytes."""
    start = file.peek(64)
    for pattern, kind in _MAGIC:
        if pattern.match(start):
            return kind
    return _SUFFIX.get(Path(name).suffix.lower(), "jsonl")


def open_file(path: Path | str) -> io.BufferedReader:
    """Open for reading. Raises UserError."""
    if str(path) == STDIN:
        return cast(io.BufferedReader, sys.stdin.buffer)
    try:
        return open(path, "rb")
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None

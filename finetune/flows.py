"""Where the flows come from: the state's captures, or files of any kind an importer reads. Always masked.

Flows can be many: the newest `LIMIT` are kept, and as many that somebody labelled, within `BYTES` each. Of captures
those of each client and site come first, so that a busy one does not crowd out the rest.
"""

import heapq
import sys
from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from classifier import importers, store
from classifier.errors import UserError
from classifier.importers import BadLine
from classifier.masking import mask
from classifier.records import FlowRecord

LIMIT: Final = 40_000
BYTES: Final = 256 << 20
"""Of paths, headers and bodies; what else a record takes comes on top."""
OF_CLIENT, OF_SITE = 4000, 8000
"""Captured flows of one client, and of one site, that come before any others: several times what is learned from."""
_CAPTURES: Final = (".parquet", ".arrows")


def captured(state: Path, labelled: Container[str]) -> tuple[list[FlowRecord], dict[str, str]]:
    """The state's captures, and the flow id of each event id in them. Raises UserError when there are none."""
    folder = state / "captures"
    if not folder.is_dir():
        raise UserError(
            f"no captures in {folder}: run `sluice run` with this --state first, or name files with --flows"
        )
    kept = _Kept()
    events = _rows(folder, labelled, kept)
    return kept.records(), events


def read(paths: Iterable[Path], labelled: Container[str]) -> tuple[list[FlowRecord], list[BadLine]]:
    """The flows of files (JSON lines, HAR, mitmproxy dump, pcap, EVE log, captures) and what could not be read of them.

    Raises UserError when a file cannot be opened or gives no flow at all.
    """
    kept = _Kept()
    bad: list[BadLine] = []
    for path in paths:
        before = kept.seen
        if path.is_dir() or path.suffix in _CAPTURES:
            _rows(path, labelled, kept)
        else:
            for found in importers.read(path):
                if isinstance(found, BadLine):
                    bad.append(found)
                else:
                    kept.add(mask(found), found.id in labelled or found.label is not None)
        if kept.seen == before:
            raise UserError(
                f"no flow in {path}: expected JSON lines, HAR, a mitmproxy dump, pcap, an EVE log or captures"
            )
    return kept.records(), bad


def _rows(source: Path, labelled: Container[str], kept: "_Kept") -> dict[str, str]:
    """Keep the flows of captures; the flow id of each event id in them."""
    unreadable: list[Path] = []
    events: dict[str, str] = {}
    before = kept.seen
    share = store.Share(LIMIT, OF_CLIENT, OF_SITE)
    for row in store.read(source, unreadable=unreadable, share=share, named=labelled):
        if row.event:
            events[row.event] = row.record.id
        kept.add(row.record, row.record.id in labelled or row.event in labelled)
    if unreadable and kept.seen == before:
        raise UserError(f"{unreadable[0]} cannot be read as captures")
    return events


@dataclass
class _Newest:
    """The newest records within limits, as a heap with the oldest on top."""

    heap: list[tuple[float, int, FlowRecord]] = field(default_factory=list)
    bytes: int = 0

    def add(self, record: FlowRecord, number: int) -> None:
        heapq.heappush(self.heap, (record.time, number, record))
        self.bytes += _size(record)
        while len(self.heap) > LIMIT or self.bytes > BYTES:
            self.bytes -= _size(heapq.heappop(self.heap)[2])


@dataclass
class _Kept:
    """What is kept of the flows that were `seen`."""

    labelled: _Newest = field(default_factory=_Newest)
    others: _Newest = field(default_factory=_Newest)
    seen: int = 0
    _labelled: int = 0

    def add(self, record: FlowRecord, labelled: bool) -> None:
        self.seen += 1
        self._labelled += labelled
        (self.labelled if labelled else self.others).add(record, self.seen)

    def records(self) -> list[FlowRecord]:
        """The labelled ones first, each in the order they were read."""
        if left := self._labelled - len(self.labelled.heap):
            print(f"sluice: {left:,} of {self._labelled:,} labelled flows are left out, the oldest", file=sys.stderr)
        found = (sorted(part.heap, key=lambda entry: entry[1]) for part in (self.labelled, self.others))
        return [record for part in found for _, _, record in part]


def _size(record: FlowRecord) -> int:
    headers = sum(len(name) + len(value) for name, value in (*record.request_headers, *record.response_headers))
    bodies = len(record.request_body) + len(record.response_body) + len(record.message)
    return headers + bodies + len(record.path)

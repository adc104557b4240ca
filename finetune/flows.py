"""Where the flows come from: the state's captures, or files of any kind an importer reads. Always masked.

Captures can be many: the newest `LIMIT` flows are kept, and every flow that somebody labelled.
"""

from collections import deque
from collections.abc import Container, Iterable
from pathlib import Path
from typing import Final

from classifier import importers, store
from classifier.errors import UserError
from classifier.importers import BadLine
from classifier.masking import mask
from classifier.records import FlowRecord

LIMIT: Final = 40_000
_CAPTURES: Final = (".parquet", ".arrows")


def captured(state: Path, labelled: Container[str]) -> tuple[list[FlowRecord], dict[str, str]]:
    """The state's captures, and the flow id of each event id in them. Raises UserError when there are none."""
    folder = state / "captures"
    if not folder.is_dir():
        raise UserError(
            f"no captures in {folder}: run `sluice run` with this --state first, or name files with --flows"
        )
    return _rows(folder, labelled)


def read(paths: Iterable[Path], labelled: Container[str]) -> tuple[list[FlowRecord], list[BadLine]]:
    """The flows of files (JSON lines, HAR, mitmproxy dump, pcap, EVE log, captures) and what could not be read of them.

    Raises UserError when a file cannot be opened or gives no flow at all.
    """
    records: list[FlowRecord] = []
    bad: list[BadLine] = []
    for path in paths:
        before = len(records)
        if path.is_dir() or path.suffix in _CAPTURES:
            records += _rows(path, labelled)[0]
        else:
            for found in importers.read(path):
                if isinstance(found, BadLine):
                    bad.append(found)
                else:
                    records.append(mask(found))
        if len(records) == before:
            raise UserError(
                f"no flow in {path}: expected JSON lines, HAR, a mitmproxy dump, pcap, an EVE log or captures"
            )
    return records, bad


def _rows(source: Path, labelled: Container[str]) -> tuple[list[FlowRecord], dict[str, str]]:
    unreadable: list[Path] = []
    wanted: list[FlowRecord] = []
    others: deque[FlowRecord] = deque(maxlen=LIMIT)
    events: dict[str, str] = {}
    for row in store.read(source, unreadable=unreadable):
        if row.event:
            events[row.event] = row.record.id
        if row.record.id in labelled or row.event in labelled:
            wanted.append(row.record)
        else:
            others.append(row.record)
    if unreadable and not wanted and not others:
        raise UserError(f"{unreadable[0]} cannot be read as captures")
    return [*wanted, *others], events

"""Who says what a flow is: label files, the journal, and a record's own label, merged into one word a flow.

A later source outranks an earlier one: the record's own label, then the journal, then the file that was named
on the command line. A word about an event is a word about the event's flow.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from classifier.errors import UserError
from classifier.records import LABELS, FlowRecord, Label

EXEMPT: Final = frozenset({"admin", "file", "record"})
"""Origins that answer for themselves: no cap on their influence."""


class NothingToLearn(UserError):
    """No flow at hand is labelled."""


class Word(msgspec.Struct, frozen=True, kw_only=True):
    """One flow's label; `weight` 0…1 says how sure, `origin` who said it (admin, file, record, suricata, …)."""

    label: Label
    weight: float = 1.0
    origin: str = "file"


class _Line(msgspec.Struct):
    id: str
    label: str
    weight: float = 1.0
    origin: str = "file"


def read(path: Path) -> dict[str, Word]:
    """A label file: one JSON object a line, `{"id", "label", "weight"?, "origin"?}`; the last word on an id counts.

    Raises UserError that names the line.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise UserError(f"labels {path}: {error.strerror}") from None
    words: dict[str, Word] = {}
    for number, line in enumerate(lines, 1):
        if line.strip():
            name, word = _word(line, f"{path}:{number}")
            words[name] = word
    if not words:
        raise UserError(f'labels {path}: no label in it; one {{"id": …, "label": …}} a line is expected')
    return words


def own(records: Iterable[FlowRecord]) -> dict[str, Word]:
    """What records say of themselves."""
    return {
        record.id: Word(label=record.label, origin="record")
        for record in records
        if record.label is not None and record.id
    }


def merge(sources: Iterable[Mapping[str, Word]]) -> dict[str, Word]:
    """Later sources outrank earlier ones."""
    merged: dict[str, Word] = {}
    for source in sources:
        merged.update(source)
    return merged


def resolve(
    words: Mapping[str, Word],
    known: Iterable[str],
    aliases: Mapping[str, str],
    event: Callable[[str], FlowRecord | None],
) -> tuple[dict[str, Word], list[FlowRecord], list[str]]:
    """Match words to flows, where a word may name an event instead of a flow.

    `known` are the ids of the flows at hand, `aliases` the flow id of each event id among them; `event` gives the
    (masked) record of any other event id or None.
    Returns the words by flow id, the records that only the events still hold, and the ids nobody knows.
    """
    flows = set(known)
    found: dict[str, Word] = {}
    extra: dict[str, FlowRecord] = {}
    unknown: list[str] = []
    for name, word in words.items():
        if name in flows:
            found[name] = word
        elif name in aliases:
            found[aliases[name]] = word
        elif (record := event(name)) is None:
            unknown.append(name)
        else:
            flow = record.id or name
            found[flow] = word
            if flow not in flows:
                extra[flow] = msgspec.structs.replace(record, id=flow)
    return found, list(extra.values()), unknown


def _word(line: bytes, where: str) -> tuple[str, Word]:
    try:
        entry = msgspec.json.decode(line, type=_Line)
    except msgspec.MsgspecError as error:
        raise UserError(f"labels {where}: {error}") from None
    if entry.label not in LABELS:
        raise UserError(f"labels {where}: unknown label {entry.label!r}; one of {', '.join(LABELS)}")
    if not 0.0 <= entry.weight <= 1.0:
        raise UserError(f"labels {where}: weight {entry.weight} is not between 0 and 1")
    return entry.id, Word(label=Label(entry.label), weight=entry.weight, origin=entry.origin)

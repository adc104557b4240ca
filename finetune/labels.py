"""Who says what a flow is: lists, alerts, a record's own label, the journal, label files, merged into one word a flow.

A later source of these outranks an earlier one; the label file is the one named on the command line. A word about an
event is a word about the event's flow.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from classifier import alerts, importers
from classifier.alerts import Alert, Join
from classifier.errors import UserError
from classifier.importers import BadLine
from classifier.records import LABELS, FlowRecord, Label

EXEMPT: Final = frozenset({"admin", "file", "record"})
"""Origins that answer for themselves: no cap on their influence."""
WEAK, TIME, LIST = "weak", "time", "list"
"""Origins of labels that nobody gave to the flow itself: no alarm, a host long known to many, a name on a list."""
ASSUMED: Final = frozenset({WEAK, TIME, LIST})
WEIGHTS: Final[dict[str, float]] = {
    "admin": 1.0,
    "file": 1.0,
    "record": 1.0,
    alerts.ORIGIN: alerts.WEIGHT,
    LIST: 0.5,
    TIME: 0.5,
    WEAK: 0.3,
}
"""The weight of a label that names none, by origin; 1 for any other origin."""


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
    weight: float | None = None
    origin: str = "file"


def is_log(path: Path) -> bool:
    """Whether a file of labels is an EVE log, by its content. Raises UserError when it cannot be opened."""
    with importers.open_file(path) as file:
        return importers.sniff(file, str(path)) == "eve"


def alerted(path: Path, records: Iterable[FlowRecord]) -> tuple[dict[str, Word], Join, list[BadLine]]:
    """What the alerts of an EVE log say of (masked) records; the join, which knows what fitted nothing; bad lines."""
    found = list(alerts.read(path))
    join = Join(each for each in found if isinstance(each, Alert))
    words = {}
    for record in records:
        alert = join.match(record) if record.id else None
        if alert is not None and alert.label is not None:
            words[record.id] = Word(label=alert.label, weight=alerts.WEIGHT, origin=alerts.ORIGIN)
    return words, join, [each for each in found if isinstance(each, BadLine)]


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
    weight = WEIGHTS.get(entry.origin, 1.0) if entry.weight is None else entry.weight
    if not 0.0 <= weight <= 1.0:
        raise UserError(f"labels {where}: weight {weight} is not between 0 and 1")
    return entry.id, Word(label=Label(entry.label), weight=weight, origin=entry.origin)

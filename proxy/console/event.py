"""One event as a page shows it: who asked what, what was decided and why, and where in the request the reason lies."""

import json
from typing import Any, Final, NamedTuple

import msgspec

from classifier.journal import Event
from classifier.parts import whole
from classifier.records import HARMLESS, FlowRecord, from_fields, text, to_json
from classifier.review import Item, Kept, item, remembered
from proxy.console import traffic
from proxy.console.context import Console
from proxy.explain import describe

SHOWN: Final = 2000
"""Characters of a body, and on each side of a span, that are shown."""
_AROUND: Final = 120


class Piece(NamedTuple):
    """Text of a part; `weight` is 0 where it is not marked."""

    text: str
    weight: float = 0.0


class Marked(NamedTuple):
    """A named part of the flow, cut into pieces that carried the score and others."""

    name: str
    pieces: list[Piece]


class Detail(msgspec.Struct, frozen=True, kw_only=True):
    """An event. `seen` is what the user saw, `scores` the likeliest labels, `said` what an administrator called it."""

    item: Item
    seen: str
    rule: str
    release: str
    scores: list[tuple[str, float]]
    said: str
    harmless: bool
    flow: str
    host: str
    path: str
    request: list[tuple[str, str]]
    body: str
    status: int
    answer: list[tuple[str, str]]


def detail(console: Console, name: str) -> Detail | None:
    """The event of that id. Not for an event loop."""
    event = console.journal.find(name)
    return None if event is None else _detail(console, event)


def passed(console: Console, flow: str, at: float) -> Detail | None:
    """A captured flow as if it were an event: of one that passed nothing else is kept. Not for an event loop."""
    row = traffic.row(console.status.state / "captures", flow, at)
    if row is None:
        return None
    event = Event(
        id=row.event or flow,
        time=row.record.time,
        record=row.record,
        verdict=row.verdicts.get(row.record.phase),
        action=row.action,
        enforced=row.enforced,
        reason="below every threshold",
        release=row.release,
    )
    return _detail(console, event)


def _detail(console: Console, event: Event) -> Detail:
    report = next((found for found in console.journal.reports(waiting=False) if found.event == event.id), None)
    record, told = event.record, describe(event)
    said = console.journal.rows(
        "select label from labels where flow in (?, ?) and origin = 'admin' order by time desc", event.id, record.id
    )
    scores = sorted((event.verdict.scores if event.verdict else {}).items(), key=lambda found: -found[1])
    return Detail(
        item=item(event, report, remembered(console.journal).get(event.id, Kept())),
        seen=told["seen"],
        rule=told.get("rule") or "",
        release=event.release,
        scores=[(str(label), score) for label, score in scores[:4] if score >= 0.005],
        said=said[0][0] if said else "",
        harmless=event.verdict is not None and event.verdict.label in HARMLESS,
        flow=record.id,
        host=record.site,
        path=record.path.partition("?")[0],
        request=list(record.request_headers),
        body=_cut(text(record.request_body)),
        status=record.status,
        answer=list(record.response_headers),
    )


def marked(told: dict[str, Any]) -> list[Marked]:
    """The parts of what `sluice explain --json` told that hold spans, marked."""
    spans: dict[str, list[dict[str, Any]]] = {}
    for span in told.get("spans") or []:
        spans.setdefault(span["part"], []).append(span)
    record = from_fields(told["flow"]) if spans else FlowRecord()
    return [Marked(name, _pieces(whole(record, name), found)) for name, found in spans.items()]


def plain(console: Console, name: str) -> dict[str, Any] | None:
    """The event as `sluice explain --json` tells it, without spans."""
    event = console.journal.find(name)
    return None if event is None else {**describe(event), "flow": json.loads(to_json(event.record))}


def _pieces(content: str, spans: list[dict[str, Any]]) -> list[Piece]:
    """The part in pieces, long stretches without a span shortened."""
    pieces, at = [], 0
    for span in sorted(spans, key=lambda found: int(found["start"])):
        start, end = max(at, int(span["start"])), int(span["end"])
        if end > start:
            pieces += [Piece(_between(content[at:start])), Piece(_cut(content[start:end]), float(span["weight"]))]
            at = end
    return [piece for piece in (*pieces, Piece(_between(content[at:]))) if piece.text]


def _between(content: str) -> str:
    return content if len(content) <= 2 * _AROUND else f"{content[:_AROUND]} … {content[-_AROUND:]}"


def _cut(content: str) -> str:
    return content if len(content) <= SHOWN else f"{content[:SHOWN]} …"

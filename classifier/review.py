"""The review queue: flows that a person should look at, the most worthwhile first.

The console and `sluice review` share it; what an administrator says is a label for the next fine-tuning.

1. what users reported as a mistake
2. the rest by what a label of theirs is worth:

    doubt       the filter is not sure: the entropy of its threat, in bits
    novelty     the flow is unlike the site's traffic (`classifier.novelty`)
    stake       what a mistake would cost: a page kept from somebody more than a flag, many alike more than one

   each 0 to 1; a further one of a kind (site, shape of the path, label) counts half as much as the one before it
3. what somebody skipped, the longest ago first

Flows that passed are in it too: `pick` writes the most worthwhile of the captures down as events.
"""

import math
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

import msgspec

from classifier.errors import UserError
from classifier.journal import ADMIN, Event, Journal, LabelRow, Report
from classifier.records import FlowRecord, Label, Verdict
from classifier.shown import url

LATEST: Final = 200
"""Events that are ranked, and reports."""
PICKED: Final = "picked for review"
"""Stands as the rule of an event that was written down for a person to look at, though its flow passed."""
STRANGE: Final = 0.95
"""Novelty from which a flow is called unlike the site's traffic: of a hundred flows of the site five are as strange."""
UNSURE: Final = 0.5
"""Doubt from which the filter is called unsure: a threat between 11 % and 89 %."""
_STAKES: Final = {("block", True): 1.0, ("block", False): 0.7, ("flag", True): 0.4, ("flag", False): 0.4}
_ALIKE: Final = 0.5
_SCHEMA: Final = (
    "create table if not exists queue (event text primary key, novelty real not null default 0, "
    "skipped real not null default 0)"
)
_WAITING: Final = f"""
  select id from events
  where not exists (select 1 from labels where labels.flow in (events.id, events.flow) and labels.origin = '{ADMIN}')
  order by time desc limit ?
"""
_PASSING: Final = re.compile(r"[0-9A-Fa-f]{8,}|\d+")


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """An event that waits for a word. `reported` counts the times users called it a mistake, `reporter` is the first.

    `novelty` 0 to 1 is the share of the site's traffic that is less strange, `because` why it is worth a look.
    """

    event: str
    time: float
    client: str
    method: str
    url: str
    action: str
    enforced: bool
    label: str
    threat: float
    reason: str
    reported: int = 0
    reporter: str = ""
    novelty: float = 0.0
    because: list[str] = []


class Kept(NamedTuple):
    """What the queue remembers of an event: how strange it is, when it was skipped (Unix seconds, 0 never)."""

    novelty: float = 0.0
    skipped: float = 0.0


_NEW: Final = Kept()


def waiting(journal: Journal) -> list[Item]:
    """The queue. Not for an event loop."""
    reports = {report.event: report for report in journal.reports(limit=LATEST)}
    latest = [row[0] for row in journal.rows(_WAITING, LATEST)]
    found = [event for name in dict.fromkeys([*reports, *latest]) if (event := journal.find(name))]
    kept = remembered(journal)
    return [item(event, reports.get(event.id), kept.get(event.id, _NEW)) for event in ranked(found, reports, kept)]


def count(journal: Journal) -> tuple[int, int]:
    """How many wait, up to `LATEST`, and how many of them users reported."""
    return len(journal.rows(_WAITING, LATEST)), len(journal.reports(limit=LATEST))


def ranked(events: Sequence[Event], reports: dict[str, Report], kept: dict[str, Kept]) -> list[Event]:
    """Events in the order of the queue."""
    kinds = Counter(kind(event) for event in events)
    most = max(kinds.values(), default=1)

    def of(event: Event) -> float:
        often = math.log(1 + kinds[kind(event)]) / math.log(1 + most)
        return worth(event, kept.get(event.id, _NEW).novelty, often) + times(event)

    def times(event: Event) -> float:
        return float(reports[event.id].times) if event.id in reports else 0.0

    skipped = sorted(
        (event for event in events if kept.get(event.id, _NEW).skipped), key=lambda event: kept[event.id].skipped
    )
    rest = [event for event in events if not kept.get(event.id, _NEW).skipped]
    reported, others = [event for event in rest if times(event)], [event for event in rest if not times(event)]
    return [*spread(reported, of), *spread(others, of), *skipped]


def worth(event: Event, novelty: float, often: float = 0.0) -> float:
    """What a label of an event is worth, 0 to 3; `often` 0 to 1 says how many are alike."""
    stake = _STAKES.get((event.action, event.enforced), 0.1)
    return doubt(event.verdict) + novelty + stake * (0.8 + 0.2 * often)


def doubt(verdict: Verdict | None) -> float:
    """How unsure a verdict is, in bits (0 to 1): the entropy of its threat; none at all is as unsure as can be."""
    if verdict is None:
        return 1.0
    share = min(max(verdict.threat, 1e-9), 1 - 1e-9)
    return -(share * math.log2(share) + (1 - share) * math.log2(1 - share))


def spread(events: Iterable[Event], value: Callable[[Event], float]) -> list[Event]:
    """The most valuable first, where each further one of a kind counts half as much as the one before it."""
    left = {event.id: (event, value(event), kind(event)) for event in events}
    seen: Counter[str] = Counter()
    order = []
    while left:
        event, _, name = max(left.values(), key=lambda each: (each[1] * _ALIKE ** seen[each[2]], each[0].time))
        seen[name] += 1
        del left[event.id]
        order.append(event)
    return order


def kind(event: Event) -> str:
    """Events of one kind: the same site, path but for its numbers, and label."""
    return f"{shape(event.record)} {event.label or (event.verdict.label if event.verdict else '')}"


def shape(record: FlowRecord) -> str:
    """A flow without what differs from one visit to the next: its query, and numbers in its path."""
    path = record.path.partition("?")[0]
    return f"{record.kind}/{record.phase} {record.method} {record.site}{_PASSING.sub('0', path)}"


def say(journal: Journal, flow: str, label: str, weight: float = 1.0, *, where: str = "console") -> LabelRow | None:
    """An administrator's word on a flow or an event; what the administrator said before. Raises UserError."""
    if not flow or len(flow) > 200 or not flow.isprintable():
        raise UserError("which flow? give its id or its event's")
    rows = journal.rows("select label, weight, time from labels where flow = ? and origin = ?", flow, ADMIN)
    journal.label(flow, label, weight)
    journal.audit("label", f"{flow} is {label} ({where})")
    if not rows:
        return None
    before, sure, moment = rows[0]
    return LabelRow(flow=flow, label=Label(before), weight=sure, origin=ADMIN, time=moment)


def unsay(journal: Journal, flow: str, before: LabelRow | None, *, where: str = "console") -> None:
    """Take a word back; what was said `before` holds again."""
    if before is None:
        journal.write("delete from labels where flow = ? and origin = ?", flow, ADMIN)
    else:
        journal.label(flow, before.label, before.weight)
    journal.audit("label", f"the word on {flow} was taken back ({where})")


def skip(journal: Journal, event: str, moment: float | None = None) -> None:
    """Put an event behind the others; a `moment` of 0 brings it back."""
    now = time.time() if moment is None else moment
    journal.write(_SCHEMA)
    journal.write("insert into queue (event, skipped) values (?,?) on conflict(event) do update set skipped = ?",
                  event, now, now)  # fmt: skip


def remember(journal: Journal, novelties: dict[str, float]) -> None:
    """Keep how strange events are, and forget what was kept of those that are gone."""
    journal.write(_SCHEMA)
    for event, novelty in novelties.items():
        journal.write("insert into queue (event, novelty) values (?,?) on conflict(event) do update set novelty = ?",
                      event, novelty, novelty)  # fmt: skip
    journal.write("delete from queue where event not in (select id from events)")


def remembered(journal: Journal) -> dict[str, Kept]:
    """What the queue keeps, by event."""
    journal.write(_SCHEMA)
    return {event: Kept(novelty, skipped) for event, novelty, skipped in journal.rows("select * from queue")}


def item(event: Event, report: Report | None = None, kept: Kept = _NEW) -> Item:
    """An event as it is listed."""
    return Item(
        event=event.id,
        time=event.time,
        client=event.record.client,
        method=event.record.method,
        url=address(event.record),
        action=event.action,
        enforced=event.enforced,
        label=str(event.label or (event.verdict.label if event.verdict else "")),
        threat=event.verdict.threat if event.verdict else 0.0,
        reason=event.reason,
        reported=report.times if report else 0,
        reporter=report.client if report else "",
        novelty=round(kept.novelty, 4),
        because=list(_because(event, report, kept)),
    )


def address(record: FlowRecord, longest: int = 300) -> str:
    """A flow's address, cut where it gets long."""
    found = url(record)
    return found if len(found) <= longest else f"{found[:longest]}…"


def _because(event: Event, report: Report | None, kept: Kept) -> Iterable[str]:
    if report:
        yield "reported by a user" if report.times == 1 else f"reported {report.times} times"
    if event.action == "block":
        yield "it was stopped" if event.enforced else "it would be stopped"
    if doubt(event.verdict) >= UNSURE:
        yield "the filter is unsure" if event.verdict else "it could not be judged"
    if kept.novelty >= STRANGE:
        yield "unlike the traffic of this site"
    if kept.skipped:
        yield "skipped before"

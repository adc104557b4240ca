"""The review queue: flows that a person should look at. Users' reports come first, then what was blocked or is unsure.

What an administrator says of one is a label for the next fine-tuning (`sluice label`).
"""

from typing import Final

import msgspec

from classifier.errors import UserError
from classifier.journal import ADMIN, Event, Journal, Report
from classifier.records import FlowRecord, Verdict
from proxy.explain import url

LATEST: Final = 200
"""Events that are ranked, and reports."""
_WAITING: Final = f"""
  select id from events
  where not exists (select 1 from labels where labels.flow in (events.id, events.flow) and labels.origin = '{ADMIN}')
  order by time desc limit ?
"""


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """An event that waits for a word. `reported` counts the times users called it a mistake."""

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


def waiting(journal: Journal) -> list[Item]:
    """The queue, the most worthwhile first. Not for an event loop."""
    reports = {report.event: report for report in journal.reports(limit=LATEST)}
    latest = [row[0] for row in journal.rows(_WAITING, LATEST)]
    found = [event for name in dict.fromkeys([*reports, *latest]) if (event := journal.find(name))]
    return [item(event, reports.get(event.id)) for event in sorted(found, key=lambda event: _rank(event, reports))]


def count(journal: Journal) -> tuple[int, int]:
    """How many wait, up to `LATEST`, and how many of them users reported."""
    return len(journal.rows(_WAITING, LATEST)), len(journal.reports(limit=LATEST))


def say(journal: Journal, flow: str, label: str, weight: float = 1.0) -> None:
    """An administrator's word on a flow or an event. Raises UserError for an unknown label."""
    if not flow or len(flow) > 200 or not flow.isprintable():
        raise UserError("which flow? give its id or its event's")
    journal.label(flow, label, weight)
    journal.audit("label", f"{flow} is {label} (console)")


def named(journal: Journal, events: list[str]) -> dict[str, str]:
    """What events are called, by their ids; those that have no name are left out."""
    marks = ", ".join("?" * len(events))
    rows = journal.rows(f"select id, label from events where id in ({marks}) and label is not null", *events)
    return dict(rows)


def item(event: Event, report: Report | None = None) -> Item:
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
    )


def address(record: FlowRecord, longest: int = 300) -> str:
    """A flow's address, cut where it gets long."""
    found = url(record)
    return found if len(found) <= longest else f"{found[:longest]}…"


def _rank(event: Event, reports: dict[str, Report]) -> tuple[bool, float]:
    """Reports first, by how often; then blocks that were carried out, then the less certain."""
    report = reports.get(event.id)
    if report is not None:
        return False, -float(report.times)
    return True, -(event.action == "block" and event.enforced) - _doubt(event.verdict)


def _doubt(verdict: Verdict | None) -> float:
    return 1.0 if verdict is None else 1 - 2 * abs(verdict.threat - 0.5)

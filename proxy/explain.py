"""`sluice explain`: an event as it was written down with its decision."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from classifier.errors import UserError
from classifier.journal import Event, Journal
from classifier.records import to_json


def explain(event_id: str, state: Path, as_json: bool) -> None:
    """Print the event. Raises UserError when there is none of that id."""
    database = state / "sluice.db"
    if not database.exists():
        raise UserError(f"no events in {state}; choose the proxy's state directory with --state")
    event = Journal(database).find(event_id)
    if event is None:
        raise UserError(f"no event {event_id!r} in {database}; it may have been forgotten")
    fields = describe(event)
    print(json.dumps(fields) if as_json else _text(fields))


def describe(event: Event) -> dict[str, Any]:
    """The event as plain values. The request is masked as the model saw it."""
    verdict = event.verdict
    named = {} if verdict is None else {str(label): round(score, 6) for label, score in verdict.scores.items()}
    return {
        "event": event.id,
        "time": datetime.fromtimestamp(event.time, UTC).isoformat(timespec="milliseconds"),
        "action": event.action,
        "enforced": event.enforced,
        "seen": _seen(event),
        "reason": event.reason,
        "label": None if verdict is None else verdict.label,
        "threat": None if verdict is None else round(verdict.threat, 6),
        "scores": named,
        "release": event.release,
        "flow": json.loads(to_json(event.record)),
    }


def _seen(event: Event) -> str:
    """What the user saw."""
    return "a block page" if event.action == "block" and event.enforced else "the page itself"


def _text(fields: dict[str, Any]) -> str:
    flow = fields["flow"]
    url = f"{flow.get('method', '')} {flow.get('scheme', '')}://{flow.get('host', '')}{flow.get('path', '')}".strip()
    best = sorted(fields["scores"].items(), key=lambda item: -item[1])[:4]
    lines = {
        "event": fields["event"],
        "time": fields["time"],
        "flow": f"{flow['kind']} {flow['phase']}  {url}",
        "decision": f"{fields['action']}{'' if fields['enforced'] else ' (monitor: not enforced)'}",
        "reason": fields["reason"],
        "user saw": fields["seen"],
        "scores": ", ".join(f"{label} {score:.4f}" for label, score in best) or "none",
        "release": fields["release"],
    }
    return "\n".join(f"{name:<9} {value}" for name, value in lines.items())

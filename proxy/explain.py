"""`sluice explain`: an event as it was written down with its decision, and the spans that carried its score.

The release that judged is asked again, without one piece of the stored flow after another. Flows are written by
attackers: what cannot be printed is escaped before it reaches a terminal.
"""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from classifier import shown, store
from classifier.errors import UserError
from classifier.explain import Explanation, Span
from classifier.journal import Event, Journal
from classifier.parts import whole
from classifier.records import FlowRecord, Label, to_json
from classifier.registry import Registry
from classifier.scorer import Scorer
from classifier.shown import printable, url
from proxy import config

AROUND: Final = 40
"""Characters shown on each side of a span."""
SHOWN: Final = 160
"""Characters shown of a span."""
_RED: Final = ("\x1b[1;31m", "\x1b[0m")


def explain(event_id: str, file: Path | None, state: Path, as_json: bool) -> None:
    """Print the event. Raises UserError when there is none of that id or the configuration `file` is wrong."""
    database = state / "sluice.db"
    if not database.exists():
        raise UserError(f"no events in {state}; choose the proxy's state directory with --state")
    event = Journal(database).find(event_id) or passed(event_id, state)
    if event is None:
        raise UserError(f"no event or captured flow {event_id!r} in {state}; it may have been forgotten")
    found = carried(event, Registry(config.load(file).model.registry or state))
    print(json.dumps(describe(event, found)) if as_json else _text(event, found, color=sys.stdout.isatty()))


def passed(flow_id: str, state: Path) -> Event | None:
    """What captures say of a flow, which are all that is kept of one that passed. Takes a look at every capture."""
    folder = state / "captures"
    for row in store.read(folder) if folder.is_dir() else ():
        if flow_id in (row.record.id, row.event):
            verdict = row.verdicts.get(row.record.phase)
            return Event(
                id=flow_id,
                time=row.record.time,
                record=row.record,
                verdict=verdict,
                action=row.action,
                enforced=row.enforced,
                reason="from the captures, which keep no reason",
                release=row.release,
                label=None if verdict is None else verdict.label,
            )
    return None


def carried(event: Event, registry: Registry) -> Explanation | str:
    """What carried the score of an event; a sentence where that cannot be told."""
    return shown.carried(event, lambda release: Scorer(registry.load(release, "cpu")))


def describe(event: Event, found: Explanation | str = "") -> dict[str, Any]:
    """The event as plain values. The request is masked as the model saw it; `note` says why there are no spans."""
    verdict = event.verdict
    named = {} if verdict is None else {str(label): round(score, 6) for label, score in verdict.scores.items()}
    told = found if isinstance(found, Explanation) else None
    return {
        "event": event.id,
        "time": datetime.fromtimestamp(event.time, UTC).isoformat(timespec="milliseconds"),
        "action": event.action,
        "enforced": event.enforced,
        "seen": _seen(event),
        "reason": event.reason,
        "rule": event.rule,
        "label": _label(event),
        "threat": None if verdict is None else round(verdict.threat, 6),
        "scores": named,
        "release": event.release,
        "spans": msgspec.to_builtins(told.spans) if told else [],
        "subject": told.subject if told else None,
        "without": round(told.without, 6) if told else None,
        "note": _note(found),
        "flow": json.loads(to_json(event.record)),
    }


def _seen(event: Event) -> str:
    """What the user saw."""
    if event.seen:
        return event.seen
    return "a block page" if event.action == "block" and event.enforced else "the page itself"


def _label(event: Event) -> Label | None:
    """What the decision was about, else what the model says."""
    return event.label or (None if event.verdict is None else event.verdict.label)


def _note(found: Explanation | str) -> str:
    if isinstance(found, str):
        return found
    return "" if found.spans else "no single piece carries the score"


def _text(event: Event, found: Explanation | str, *, color: bool) -> str:
    record, scores = event.record, event.verdict.scores if event.verdict else {}
    best = sorted(scores.items(), key=lambda item: -item[1])[:4]
    lines = {
        "event": event.id,
        "time": datetime.fromtimestamp(event.time, UTC).isoformat(timespec="milliseconds"),
        "flow": f"{record.kind} {record.phase}  {printable(f'{record.method} {url(record)}'.strip())}",
        "decision": f"{event.action}{'' if event.enforced or event.action == 'allow' else ' (monitor: not enforced)'}",
        "reason": event.reason,
        **({"rule": event.rule} if event.rule else {}),
        "user saw": _seen(event),
        "scores": ", ".join(f"{label} {score:.4f}" for label, score in best) or "none",
        "release": event.release,
        "spans": _note(found) or "in [[ ]]; the number is the drop in log-odds without the span",
    }
    told = [f"{name:<9} {value}" for name, value in lines.items()]
    if isinstance(found, Explanation) and found.spans:
        told += [line for span in found.spans for line in _lines(record, span, color)]
        told += [f"{'without':<9} {found.subject} {found.without:.4f} instead of {found.score:.4f}"]
    return "\n".join(told)


def _lines(record: FlowRecord, span: Span, color: bool) -> list[str]:
    """A span within the text of its part."""
    content = whole(record, span.part)
    before, after = content[: span.start], content[span.end :]
    start, end = _RED if color else ("", "")
    marked = f"[[{start}{_middle(printable(span.text))}{end}]]"
    left = f"{'…' if len(before) > AROUND else ''}{printable(before[-AROUND:])}"
    right = f"{printable(after[:AROUND])}{'…' if len(after) > AROUND else ''}"
    return [f"{'':<9} {printable(span.part)}  {span.weight:+.1f}", f"{'':<11} {left}{marked}{right}"]


def _middle(content: str) -> str:
    """A long text without its middle."""
    half = SHOWN // 2
    return content if len(content) <= SHOWN else f"{content[:half]} … {content[-half:]}"

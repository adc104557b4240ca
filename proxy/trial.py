"""`sluice policy test`: what a policy would do and why, without a proxy and without touching the network.

Of an https address the tunnel is judged first and then the request in it, as the proxy does; the line says at which of
the two it would be stopped.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import typer
from msgspec.structs import replace

from classifier import store
from classifier.errors import UserError
from classifier.features import vectorize
from classifier.importers import BadLine, read
from classifier.importers.address import split
from classifier.journal import Journal
from classifier.masking import mask
from classifier.records import FlowRecord, Verdict
from classifier.registry import Registry
from classifier.scorer import BadScore, Scorer
from classifier.shown import printable
from proxy import budget, config
from proxy.needed import Needs, sentence
from proxy.policy import Decision, Effective, Failure, Policy


class Tried(NamedTuple):
    """What would happen to one flow."""

    record: FlowRecord
    verdict: Verdict | None
    decision: Decision
    effective: Effective


def trial(target: str, file: Path | None, state: Path, *, client: str = "", as_json: bool = False) -> None:
    """Print a line for each flow and what they come to; flows without a client come from `client`.

    Raises UserError, Exit(1) if some were unreadable.
    """
    settings = config.load(file)
    registry = Registry(settings.model.registry or state)
    model = registry.load(registry.resolve(settings.model.channel), settings.model.device)
    site = budget.in_force(state, settings, model.release)
    policy = settings.build_policy(model.card.operating_points, config.exceptions(state), site)
    scorer, seen, bad = Scorer(model), Counter[tuple[str, Effective]](), 0
    for record in flows(target):
        if isinstance(record, BadLine):
            print(f"{record.where}: {record.reason}", file=sys.stderr)
            bad += 1
            continue
        tried = first(record if record.client else replace(record, client=client), scorer, policy)
        seen[tried.decision.action, tried.effective] += 1
        print(json.dumps(plain(tried)) if as_json else _line(tried))
    if not as_json:
        print("\n".join(["", *_summary(seen), *_needs(state, scorer, policy)]))
    if bad:
        raise typer.Exit(1)


def first(record: FlowRecord, scorer: Scorer, policy: Policy) -> Tried:
    """The stage that stops a flow, else the last one."""
    if record.kind == "http" and record.phase == "request" and record.scheme == "https":
        tunnel = FlowRecord(
            id=record.id, kind="tls", phase="connect", client=record.client, host=record.host, port=record.port
        )
        tried = judge(tunnel, scorer, policy)
        if tried.decision.action == "block":
            return tried
    return judge(record, scorer, policy)


def judge(record: FlowRecord, scorer: Scorer, policy: Policy) -> Tried:
    """One record under a policy."""
    verdict: Verdict | None = None
    try:
        verdict = scorer.score(vectorize(mask(record)))
        decision = policy.decide(record, verdict)
    except BadScore:
        decision = policy.decide(record, Failure("nan"))
    return Tried(record, verdict, decision, policy.effective(record))


def flows(target: str) -> Iterator[FlowRecord | BadLine]:
    """What `target` stands for: a request to a URL, a connection to a name, the flows of a file or of captures.

    Raises UserError.
    """
    path = Path(target)
    if "://" in target and not path.exists():
        scheme, host, port, route = split(target)
        if not host:
            raise UserError(f"{target!r} names no host")
        yield FlowRecord(id=target, method="GET", scheme=scheme, host=host, port=port, path=route)
    elif not path.exists() and "/" not in target and "." in target:
        yield FlowRecord(id=target, phase="connect", host=target)
    elif path.is_dir() or path.suffix in (".parquet", ".arrows"):
        yield from _captured(path)
    else:
        yield from read(target)


def plain(tried: Tried) -> dict[str, Any]:
    """The line of `--json`."""
    record, verdict, decision, effective = tried
    return {
        "id": record.id,
        "kind": record.kind,
        "phase": record.phase,
        "action": decision.action,
        "enforced": decision.enforced,
        "blocked": decision.blocks,
        "label": decision.label,
        "threat": None if verdict is None else verdict.threat,
        "reason": decision.reason,
        "rule": decision.rule,
        "spared": decision.spared,
        "evidence": decision.evidence,
        "mode": effective.mode,
        "mode_cause": effective.cause,
        "model": None if verdict is None else verdict.model,
    }


def _captured(folder: Path) -> Iterator[FlowRecord]:
    """The flows of captures, or of a state directory's."""
    inner = folder / "captures"
    unreadable: list[Path] = []
    count = 0
    for row in store.read(inner if inner.is_dir() else folder, unreadable=unreadable):
        count += 1
        yield row.record
    if not count:
        raise UserError(f"no captured flow in {folder}")
    for file in unreadable:
        print(f"{file}: cannot be read as captures", file=sys.stderr)


def _line(tried: Tried) -> str:
    record, verdict, decision, _ = tried
    shown = "-" if verdict is None else f"{verdict.threat:.4f}"
    spared = f"; without it: {decision.spared}" if decision.spared else ""
    told = f"{decision.action:<5}  {decision.label or '-':<17}  {shown:>6}  {record.phase:<8}  "
    return printable(f"{told}{record.id}  ({decision.reason}{spared})")


def _summary(seen: "Counter[tuple[str, Effective]]") -> list[str]:
    """How many flows met which action under which mode, and what makes it so."""
    modes = dict.fromkeys(effective for _, effective in seen)
    lines = []
    for effective in modes:
        actions = ", ".join(f"{count} {action}" for (action, mode), count in seen.items() if mode == effective)
        effect = "" if effective.mode == "enforce" else "; nothing is stopped"
        lines.append(f"mode {effective.mode} by {effective.cause}: {actions}{effect}")
    return lines


def _needs(state: Path, scorer: Scorer, policy: Policy) -> list[str]:
    """What the served release makes of the exceptions that have spared something so far."""
    if not policy.exemptions or not (state / "sluice.db").exists():
        return []
    return [sentence(need) for need in Needs(Journal(state / "sluice.db")).review(scorer, policy) if not need.needed]

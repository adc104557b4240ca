"""`sluice policy test`: what a policy would do, without a proxy and without touching the network."""

import sys
from collections.abc import Iterator
from pathlib import Path

import typer

from classifier.errors import UserError
from classifier.features import vectorize
from classifier.importers import BadLine, read
from classifier.importers.address import split
from classifier.masking import mask
from classifier.records import FlowRecord
from classifier.registry import Registry
from classifier.scorer import BadScore, Scorer
from proxy import config
from proxy.policy import Decision, Failure


def trial(target: str, file: Path | None, state: Path) -> None:
    """Print a line for each flow: action, label, threat, reason. Raises UserError, Exit(1) if some were unreadable."""
    settings = config.load(file)
    registry = Registry(settings.model.registry or state)
    model = registry.load(registry.resolve(settings.model.channel), settings.model.device)
    scorer, policy = Scorer(model), settings.build_policy(model.card.operating_points)
    bad = 0
    for record in flows(target):
        if isinstance(record, BadLine):
            print(f"{record.where}: {record.reason}", file=sys.stderr)
            bad += 1
            continue
        try:
            verdict = scorer.score(vectorize(mask(record)))
        except BadScore:
            print(_line(record, policy.decide(record, Failure("nan")), None))
            continue
        print(_line(record, policy.decide(record, verdict), verdict.threat))
    if bad:
        raise typer.Exit(1)


def flows(target: str) -> Iterator[FlowRecord | BadLine]:
    """What `target` stands for: one request to a URL, or the flows of a file. Raises UserError."""
    if "://" in target and not Path(target).exists():
        scheme, host, port, path = split(target)
        if not host:
            raise UserError(f"{target!r} names no host")
        yield FlowRecord(id=target, method="GET", scheme=scheme, host=host, port=port, path=path)
        return
    if not Path(target).exists() and "/" not in target and "." in target:
        yield FlowRecord(id=target, phase="connect", host=target)
        return
    yield from read(target)


def _line(record: FlowRecord, decision: Decision, threat: float | None) -> str:
    shown = "-" if threat is None else f"{threat:.4f}"
    return f"{decision.action:<5}  {decision.label or '-':<17}  {shown:>6}  {record.id}  ({decision.reason})"

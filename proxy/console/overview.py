"""The figures of the first page, from the proxy's own metrics: what passed, what was found, what was not looked at."""

import math
from collections import Counter
from typing import Final

import msgspec
from prometheus_client import CollectorRegistry

from classifier.records import HARMLESS
from proxy.budget import kept
from proxy.console.context import Console
from proxy.console.history import Hour

DRIFT: Final = "sluice_drift_psi"
STABLE: Final = 0.1
MOVED: Final = 0.25
"""The customary reading of a population stability index (Siddiqi 2006, Credit Risk Scorecards)."""
_SHOWN: Final = 8
"""Labels and reasons that are listed."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A share of something: `name` is a label or a reason, `share` 0 to 1."""

    name: str
    count: int
    share: float


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """How far traffic has moved from what the release is used to: the population stability index of one phase.

    `of` is `score` or `embedding`; `word` is `stable`, `shifted` or `moved`.
    """

    phase: str
    of: str
    psi: float
    word: str


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """Since the proxy started. `requests` were judged; `flows` ended, read in `full`, in part, or not at all.

    `budget` says of each kind of flow which threshold keeps the budget of wrong blocks, as it was measured last.
    """

    listen: str
    mode: str
    cause: str
    release: str
    provider: str
    waiting: list[str]
    requests: int
    flagged: int
    blocked: int
    would_block: int
    found: list[Part]
    flows: int
    full: int
    partial: int
    unread: int
    missed: list[Part]
    failures: int
    hours: list[Hour]
    drift: list[Moved]
    budget: list[str]


def overview(console: Console) -> Overview:
    """Read the metrics. Takes milliseconds of file reading; not for an event loop."""
    status = console.status
    flows, closed, missed, failures = _counters(status.registry)
    ended = sum(closed.values())
    acted = Counter[tuple[str, str]]()
    labels = Counter[str]()
    for (_, label, action, enforced), count in flows.items():
        acted[action, enforced] += count
        if action != "allow" and label not in HARMLESS:
            labels[label] += count
    return Overview(
        listen=status.listen,
        mode=status.mode,
        cause=status.cause,
        release=status.release,
        provider=status.provider,
        waiting=list(status.waiting),
        requests=sum(count for (phase, *_), count in flows.items() if phase == "request"),
        flagged=sum(acted["flag", enforced] for enforced in ("true", "false")),
        blocked=acted["block", "true"],
        would_block=acted["block", "false"],
        found=_parts(labels, sum(labels.values())),
        flows=ended,
        full=closed["full"],
        partial=closed["partial"],
        unread=closed["none"],
        missed=_parts(missed, ended),
        failures=failures,
        hours=console.history.hours(),
        drift=_drift(status.registry),
        budget=[each.said for each in measured.limits] if (measured := kept(status.state)) else [],
    )


def _drift(registry: CollectorRegistry) -> list[Moved]:
    """What is known of drift, the furthest first; gauges without a number say that there is too little traffic yet."""
    found: dict[tuple[str, str], float] = {}
    for family in registry.collect():
        for sample in family.samples:
            if sample.name == DRIFT and math.isfinite(sample.value):
                place = sample.labels["phase"], sample.labels["of"]
                found[place] = max(sample.value, found.get(place, 0.0))
    moved = [Moved(phase=phase, of=of, psi=value, word=_word(value)) for (phase, of), value in found.items()]
    return sorted(moved, key=lambda each: -each.psi)


def _word(psi: float) -> str:
    return "stable" if psi < STABLE else "shifted" if psi < MOVED else "moved"


def _counters(registry: CollectorRegistry) -> tuple[Counter[tuple[str, ...]], Counter[str], Counter[str], int]:
    flows = Counter[tuple[str, ...]]()
    closed, missed = Counter[str](), Counter[str]()
    failures = 0
    for family in registry.collect():
        for sample in family.samples:
            labels = sample.labels
            value = int(sample.value) if math.isfinite(sample.value) else 0
            if sample.name == "sluice_flows_total":
                flows[labels["phase"], labels["label"], labels["action"], labels["enforced"]] += value
            elif sample.name == "sluice_flows_closed_total":
                closed[labels["coverage"]] += value
            elif sample.name == "sluice_uninspected_flows_total":
                missed[labels["reason"]] += value
            elif sample.name == "sluice_failures_total" and labels["cause"] not in ("oversized", "streamed"):
                failures += value
    return flows, closed, missed, failures


def _parts(counts: Counter[str], total: int) -> list[Part]:
    return [
        Part(name=name, count=count, share=min(1.0, count / total) if total else 0.0)
        for name, count in counts.most_common(_SHOWN)
        if count
    ]

"""A budget of wrong blocks kept by the site's own traffic: `policy.budget = {wrong_blocks = "1/10000", from = "site"}`.

For each kind and phase the block threshold is the lowest that, with 95 % confidence, at most that share of the site's
harmless flows reaches: an order statistic of their threats (Neyman-Pearson classification, Tong, Feng and Li 2018,
doi:10.1126/sciadv.aao1659) with the exact one-sided bound of Clopper and Pearson (1934).

Harmless are flows that nobody called a threat. One that raised an alarm and that nobody labelled may be either, so it
moves no threshold: where one stands among those that decide, the model's own threshold stays until it is labelled. So
it does where too few flows are known. Whoever sends attacks can therefore not raise a threshold, only delay it.
"""

import json
import math
import time
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import batched
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from classifier.disk import replace
from classifier.errors import UserError
from classifier.evaluate import rate_bound
from classifier.features import vectorize
from classifier.journal import Journal
from classifier.novelty import newest
from classifier.progress import Bar
from classifier.records import HARMLESS, FlowRecord, phases
from classifier.registry import Registry
from classifier.rows import CaptureRow
from classifier.scorer import BadScore, Scorer
from classifier.thresholds import Thresholds
from proxy import config

FILE: Final = "budget.json"
MOST: Final = 60_000
"""Captured flows that are judged, the newest: twice what the strictest budget needs."""
CHUNK: Final = 512


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """One kind and phase (`scope`). `threshold` is None where the model's own stays; `said` says why, in a sentence.

    `flows` harmless flows are known, `allowed` of them may reach the threshold, `needed` more are wanted, `alarms` must
    be labelled first.
    """

    scope: str
    threshold: float | None = None
    flows: int = 0
    allowed: int = 0
    needed: int = 0
    alarms: int = 0
    said: str = ""


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured of `release` at `time` (Unix seconds) for the budget `share`."""

    release: str
    share: float
    time: float
    limits: list[Limit]


class Sample(NamedTuple):
    """Threats float [N] of flows of one scope, and which of them bool [N] raised an alarm that nobody labelled."""

    threats: npt.NDArray[np.float64]
    alarms: npt.NDArray[np.bool_]


def measure(file: Path | None, state: Path, as_json: bool) -> None:
    """Measure the budget on the captures, keep and print what came of it. Raises UserError."""
    settings = config.load(file)
    registry = Registry(settings.model.registry or state)
    scorer = Scorer(registry.load(registry.resolve(settings.model.channel), "cpu"))
    thresholds = Thresholds(scorer.model.card.operating_points)
    share = settings.policy.budget.share
    samples = judged(_flows(state), scorer, thresholds)
    limits = [limit(scope, sample, share, _flag(scorer, scope)) for scope, sample in sorted(samples.items())]
    if not limits:
        raise UserError(f"no captured flow in {state}: run `sluice run` with this --state first")
    found = Measured(release=scorer.model.release, share=share, time=time.time(), limits=limits)
    replace(state / FILE, msgspec.json.encode(found))
    print(json.dumps(msgspec.to_builtins(found)) if as_json else "\n".join(each.said for each in limits))
    if not as_json and not settings.policy.budget.site:
        print('not in force: set policy.budget = {wrong_blocks = "…", from = "site"}')


def limit(scope: str, sample: Sample, share: float, least: float) -> Limit:
    """The threshold of one scope, never below `least`, from which flows are flagged."""
    budget, count = f"1 in {round(1 / share):,}", len(sample.threats)
    if (needed := supports(share) - count) > 0:
        said = (
            f"{scope}: not enough data yet for {budget}: {count:,} harmless flows are known, {needed:,} more are needed"
        )
        return Limit(scope=scope, flows=count, needed=needed, said=said)
    allowed = bisect_left(range(count), True, key=lambda many: rate_bound(many, count) > share) - 1
    order = np.argsort(-sample.threats, kind="stable")[: allowed + 1]
    if alarms := int(sample.alarms[order].sum()):
        said = f"{scope}: the model's own threshold stays until {alarms:,} alarms are labelled (sluice review)"
        return Limit(scope=scope, flows=count, allowed=allowed, alarms=alarms, said=said)
    threshold = max(least, math.nextafter(float(sample.threats[order[-1]]), math.inf))
    said = f"{scope}: blocks from a threat of {threshold:.4g}: at most {budget}, by {count:,} harmless flows"
    return Limit(scope=scope, threshold=threshold, flows=count, allowed=allowed, said=said)


def supports(share: float) -> int:
    """How many harmless flows a budget takes when none of them is blocked (29,956 for 1 in 10,000)."""
    return math.ceil(math.log(0.05) / math.log1p(-share))


def judged(flows: Iterable[tuple[FlowRecord, bool]], scorer: Scorer, thresholds: Thresholds) -> dict[str, Sample]:
    """Threats by scope, and which are alarms that nobody labelled; with each flow comes whether somebody has."""
    found: dict[str, tuple[list[float], list[bool]]] = {}
    views = ((view, known) for record, known in flows for view in phases(record))
    with Bar("Judging captured flows") as bar:
        for number, chunk in enumerate(batched(views, CHUNK)):
            bar.at(number * CHUNK)
            try:
                verdicts = scorer.score_many([vectorize(view) for view, _ in chunk])
            except BadScore:
                continue
            for (view, known), verdict in zip(chunk, verdicts, strict=True):
                threats, alarms = found.setdefault(f"{view.kind}/{view.phase}", ([], []))
                threats.append(verdict.threat)
                alarms.append(not known and thresholds.judge(view, verdict).action != "allow")
    return {scope: Sample(np.array(threats), np.array(alarms)) for scope, (threats, alarms) in found.items()}


def kept(state: Path) -> Measured | None:
    """What was measured last; None where nothing was, or nobody can read it."""
    try:
        return msgspec.json.decode((state / FILE).read_bytes(), type=Measured)
    except (OSError, msgspec.MsgspecError):
        return None


def in_force(state: Path, settings: config.Settings, release: str) -> dict[str, float]:
    """Block thresholds by scope: those of this release and budget, where the site's are asked for."""
    found = kept(state) if settings.policy.budget.site else None
    if found is None or found.release != release or found.share != settings.policy.budget.share:
        return {}
    return {each.scope: each.threshold for each in found.limits if each.threshold is not None}


def _flows(state: Path) -> Iterator[tuple[FlowRecord, bool]]:
    """Captured flows that nobody called a threat, and whether somebody called them harmless."""
    journal = Journal(state / "sluice.db")
    labels = journal.labels()
    journal.close()
    for row in newest(state / "captures", MOST):
        said = [labels[name].label for name in (row.record.id, row.event) if name and name in labels]
        if all(label in HARMLESS for label in said) and not _ruled(row):
            yield row.record, bool(said)


def _ruled(row: CaptureRow) -> bool:
    """Whether a flow was stopped before the model saw it whole: its threat says little."""
    return row.record.phase == "connect" and row.action == "block"


def _flag(scorer: Scorer, scope: str) -> float:
    point = scorer.model.card.operating_points.get(scope, {}).get("threat", {}).get("0.01")
    return 0.5 if point is None else point.threshold

"""What rewriting an attack does to its detection, and what a score owes to host, path and headers.

Every rewrite of `rewrites` that is kept for the evaluation is done to the attacks it suits and, where harmless traffic
may look like that too, to harmless requests. Only rows that it changes count. Attacks are sampled evenly by source.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import batched
from random import Random
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np

from classifier.evaluate import CONFIDENCE, Bools, Floats, auroc_interval, rate_bound
from classifier.features import operating_key
from classifier.records import ATTACKS, BODY_CAP, HARMLESS, FlowRecord, Label
from classifier.thresholds import BLOCK_AT, FLAG_AT, THREAT
from classifier.training.evaluation.measure import TARGETS, Example, System
from classifier.training.rewriting.padding import Changed
from classifier.training.rewriting.rewrites import VARIANTS, WHOLES, Variant, applied

OWN: Final = (FLAG_AT, BLOCK_AT)
"""The release's own thresholds that are tried."""
RATES: Final = ("0.01", "0.001")
"""False-positive rates on the harmless rows present whose thresholds are tried."""
POOLED: Final = "all"
"""The variant that stands for all of its family."""
ENOUGH: Final = 10
"""Harmless rows of a source below which those of its family stand in for them."""
CHUNK: Final = 512

Rewrite = Callable[[FlowRecord, Random], Changed]


class Evasion(msgspec.Struct):
    """One variant of rewriting, on attacks or on harmless requests. `family` and `variant` are those of the rewrite.

    `label` is `attack` or `benign`. `at` says by which threshold rows are flagged: `own 0.01`, `own 0.0001` (the
    release's), `fpr 0.01`, `fpr 0.001` (which 1 % or 0.1 % of the harmless rows given reach). `before` and `after` are
    the shares of the `rows` that are flagged; `kept` is, of those flagged before, the share flagged after, and `low`
    and `high` are its 95 % interval (Clopper-Pearson 1934). None where no row was flagged before.
    """

    family: str
    variant: str
    label: str
    at: str
    rows: int
    before: float
    after: float
    kept: float | None
    low: float | None
    high: float | None


class Ablation(msgspec.Struct):
    """The area under the ROC curve of a source when the score is denied a part of the evidence.

    `name` is the change, `family` the sort of evidence, `rows` how many flows it changed. `auroc` is [value, low,
    high]; `change` is the value less that of `as it is`.
    """

    name: str
    source: str
    family: str
    rows: int
    auroc: tuple[float, float, float] | None
    change: float | None


class _Flags(NamedTuple):
    """Which rows reach a threshold, before and after. bool [N]."""

    before: Bools
    after: Bools


def measure_evasions(
    examples: Sequence[Example], system: System, *, per_source: int = 400, seed: int = 0, progress: Any = None
) -> list[Evasion]:
    """Every evaluation variant, attacks first, then harmless rows; each family ends with its variants pooled.

    `examples` may be of any kind; web attacks and harmless requests of the family `http` are used, of each source at
    most `per_source` of a side. `progress.at(done)` is told how many rows are scored. Empty without attacks.
    """
    attacks = _sampled([each for each in examples if each.record.label in ATTACKS], per_source, seed)
    harmless = [each for each in examples if each.record.label == Label.BENIGN and each.family == "http"]
    benign = _sampled(harmless, per_source, seed)
    if not attacks:
        return []
    scorer = _Scorer(system, progress)
    limits = _limits(system, scorer([each.record for each in benign]))
    found = []
    for side, rows in (("attack", attacks), ("benign", benign)):
        pooled: dict[str, dict[str, list[_Flags]]] = defaultdict(lambda: defaultdict(list))
        for family, variant, labels, rewrite in _rewrites():
            pairs = _pairs(rows, labels, rewrite, Random(f"{seed} {family} {variant}"))
            for at, flags in _flags(pairs, scorer, limits) if pairs else ():
                found.append(_evasion(family, variant, side, at, flags))
                pooled[family][at].append(flags)
        found += [
            _evasion(family, POOLED, side, at, _joined(f)) for family in pooled for at, f in pooled[family].items()
        ]
    return found


def _rewrites() -> Iterator[tuple[str, str, frozenset[Label], Rewrite]]:
    for variant in VARIANTS:
        if variant.use == "evaluation":
            yield variant.family, variant.name, variant.labels, partial(_of_values, variant)
    for whole in WHOLES:
        if whole.use == "evaluation":
            yield whole.family, whole.name, whole.labels, whole.change


def _of_values(variant: Variant, record: FlowRecord, rng: Random) -> Changed:
    return Changed(record, applied(variant, record, rng))


def _pairs(rows: Sequence[Example], labels: frozenset[Label], rewrite: Rewrite, rng: Random) -> list[Changed]:
    pairs = [rewrite(each.record, rng) for each in rows if each.record.label in labels]
    return [pair for pair in pairs if pair.after is not pair.before]


def _flags(
    pairs: list[Changed], scorer: "_Scorer", limits: dict[str, Callable[[FlowRecord], float]]
) -> Iterator[tuple[str, _Flags]]:
    before, after = scorer([pair.before for pair in pairs]), scorer([pair.after for pair in pairs])
    for at, limit in limits.items():
        reach = np.asarray([limit(pair.before) for pair in pairs])
        known = np.isfinite(reach)
        if known.any():
            yield at, _Flags(before[known] >= reach[known], after[known] >= reach[known])


def _limits(system: System, benign: Floats) -> dict[str, Callable[[FlowRecord], float]]:
    """Thresholds by their name: the release's own by kind and phase, and those that shares of `benign` reach."""
    limits: dict[str, Callable[[FlowRecord], float]] = {f"own {rate}": _own(system, rate) for rate in OWN}
    scores = np.sort(benign[np.isfinite(benign)])
    for rate in RATES:
        count = int(float(rate) * len(scores))
        limit = float(np.nextafter(scores[-1 - count], np.inf)) if len(scores) else float("nan")
        limits[f"fpr {rate}"] = partial(_same, limit)
    return limits


def _same(limit: float, record: FlowRecord) -> float:
    return limit


def _own(system: System, rate: str) -> Callable[[FlowRecord], float]:
    def limit(record: FlowRecord) -> float:
        point = system.points.get(operating_key(record), {}).get(THREAT, {}).get(rate)
        return point.threshold if point else float("nan")

    return limit


def _joined(flags: list[_Flags]) -> _Flags:
    return _Flags(np.concatenate([each.before for each in flags]), np.concatenate([each.after for each in flags]))


def _evasion(family: str, variant: str, side: str, at: str, flags: _Flags) -> Evasion:
    flagged, kept = int(flags.before.sum()), int((flags.before & flags.after).sum())
    tail = 1 - (1 - CONFIDENCE) / 2
    return Evasion(
        family=family,
        variant=variant,
        label=side,
        at=at,
        rows=len(flags.before),
        before=round(float(flags.before.mean()), 5),
        after=round(float(flags.after.mean()), 5),
        kept=round(kept / flagged, 5) if flagged else None,
        low=round(1 - rate_bound(flagged - kept, flagged, tail), 5) if flagged else None,
        high=round(rate_bound(kept, flagged, tail), 5) if flagged else None,
    )


class _Scorer:
    """Threat scores of one system, a chunk at a time; what the proxy does not look at is cut off first."""

    def __init__(self, system: System, progress: Any) -> None:
        self._system = system
        self._progress = progress
        self._done = 0

    def __call__(self, records: Sequence[FlowRecord]) -> Floats:
        """float [N]."""
        parts = [np.zeros(0)]
        for chunk in batched(records, CHUNK):
            parts.append(self._system.score([_seen(record) for record in chunk])[:, TARGETS.index(THREAT)])
            self._done += len(chunk)
            if self._progress is not None:
                self._progress.at(self._done)
        return np.concatenate(parts)


def _seen(record: FlowRecord) -> FlowRecord:
    if len(record.request_body) <= BODY_CAP:
        return record
    return msgspec.structs.replace(record, request_body=record.request_body[:BODY_CAP])


def _sampled(examples: Sequence[Example], per_source: int, seed: int) -> list[Example]:
    """At most so many of each source, in the order of the sources' names."""
    sources: dict[str, list[Example]] = defaultdict(list)
    for each in examples:
        sources[each.source].append(each)
    rng = Random(f"sample {seed}")
    return [each for name in sorted(sources) for each in rng.sample(sources[name], min(per_source, len(sources[name])))]


# ── ablations ───────────────────────────────────────────────────────────────────────────────────────────────────


Exchange = Callable[[FlowRecord, FlowRecord], FlowRecord]
"""From a flow and a harmless one of the same family to the changed flow."""


def _no_host(record: FlowRecord, other: FlowRecord) -> FlowRecord:
    headers = tuple(pair for pair in record.request_headers if pair[0].lower() not in ("host", "origin", "referer"))
    return msgspec.structs.replace(record, host="", sni="", request_headers=headers)


def _no_path(record: FlowRecord, other: FlowRecord) -> FlowRecord:
    return msgspec.structs.replace(record, path="/") if record.path else record


def _no_headers(record: FlowRecord, other: FlowRecord) -> FlowRecord:
    return msgspec.structs.replace(record, request_headers=(), response_headers=())


def _other_path(record: FlowRecord, other: FlowRecord) -> FlowRecord:
    return msgspec.structs.replace(record, path=other.path) if record.path else record


def _other_host(record: FlowRecord, other: FlowRecord) -> FlowRecord:
    return msgspec.structs.replace(record, host=other.host, sni=other.sni) if record.site and record.path else record


_AS_IT_IS: Final = "as it is"
_REMOVED: Final[dict[str, Exchange]] = {"no host": _no_host, "no path": _no_path, "no headers": _no_headers}
"""Done to hostile and harmless flows."""
_EXCHANGED: Final[dict[str, Exchange]] = {
    "harmless path on hostile host": _other_path,
    "hostile path on harmless host": _other_host,
}
"""Done to hostile flows, which are then held against harmless ones as they are."""


def measure_ablations(
    examples: Sequence[Example], system: System, *, per_source: int = 400, seed: int = 0
) -> list[Ablation]:
    """For each source with threats, the area as it is and after each change that changes any of its flows.

    Harmless flows are the source's own, or, where it has few, those of its family. A change whose area falls by much
    takes away what the score rests on; an exchange whose area stays high shows what half suffices for it.
    """
    benign = [each for each in examples if each.record.label == Label.BENIGN]
    hostile = [each for each in examples if each.record.label not in (None, *HARMLESS)]
    found: list[Ablation] = []
    scorer = _Scorer(system, None)
    for source, family in sorted({(each.source, each.family) for each in hostile}):
        negatives = [each for each in benign if (each.source, each.family) == (source, family)]
        if len(negatives) < ENOUGH:
            negatives = [each for each in benign if each.family == family]
        positives = [each for each in hostile if (each.source, each.family) == (source, family)]
        if negatives:
            threats = [each.record for each in _sampled(positives, per_source, seed)]
            fine = [
                each.record for each in Random(f"{seed} {source}").sample(negatives, min(per_source, len(negatives)))
            ]
            found += _ablations(source, family, threats, fine, scorer, seed)
    return found


def _ablations(
    source: str, family: str, threats: list[FlowRecord], fine: list[FlowRecord], scorer: _Scorer, seed: int
) -> Iterator[Ablation]:
    rng = Random(f"{seed} {source} {family}")
    others = rng.choices(fine, k=len(threats))
    below = scorer(fine)
    whole = _area(below, scorer(threats), seed)
    yield Ablation(_AS_IT_IS, source, family, len(threats), whole, 0.0 if whole else None)
    for name, change in {**_REMOVED, **_EXCHANGED}.items():
        new = [change(record, other) for record, other in zip(threats, others, strict=True)]
        changed = sum(after != before for after, before in zip(new, threats, strict=True))
        if changed:
            base = scorer([change(record, record) for record in fine]) if name in _REMOVED else below
            area = _area(base, scorer(new), seed)
            lost = round(area[0] - whole[0], 5) if area and whole else None
            yield Ablation(name, source, family, changed, area, lost)


def _area(negatives: Floats, positives: Floats, seed: int) -> tuple[float, float, float] | None:
    """With its interval; rows that the system cannot judge (NaN) are left out."""
    scores = np.concatenate([negatives, positives])
    wanted = np.arange(len(scores)) >= len(negatives)
    known = np.isfinite(scores)
    if not (known & wanted).any() or not (known & ~wanted).any():
        return None
    area = auroc_interval(wanted[known], scores[known], seed=seed)
    return round(area.value, 5), round(area.low, 5), round(area.high, 5)

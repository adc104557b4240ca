"""Quality per source: labelled flows are judged by several systems, and each source gets its own figures.

A total hides what matters: one easy source with many rows makes any model look good. So every source is
reported by itself, with an interval. A source with attacks only is held against the harmless flows of its
family (the same sort of evidence: requests, URLs, bare names, …), one with harmless flows only against its
family's attacks.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import batched
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

import msgspec
import numpy as np

from classifier.card import OperatingPoints
from classifier.evaluate import Bools, Floats, Interval, auroc_interval, ece, tpr_at_fpr
from classifier.features import operating_key
from classifier.importers import BadLine, open_file
from classifier.records import HARMLESS, FlowRecord, Label, from_json
from classifier.thresholds import THREAT

TARGETS: Final = (THREAT, "scanner", "tracker")
"""What a system tells from harmless traffic; the columns of its scores. `scanner` counts threats too: a probe
that is taken for an attack was not missed."""
RATES: Final = ("0.01", "0.001")
"""False-positive rates at which the share of found attacks is given."""
NOMINAL: Final = ("0.01", "0.001", "0.0001")
"""False-positive rates that a release has thresholds for."""
ENOUGH: Final = 10
"""Fewer rows of a class than this in a source, and its family stands in for them."""
CLUSTERS: Final = 5
"""Fewer sources than this cannot be resampled: the interval would shrink to a point."""
CHUNK: Final = 4096

_FAMILIES: Final = {"requests": "http", "payloads": "http", "transactions": "flows", "handshakes": "tls", "dns": "dns"}


class Example(NamedTuple):
    """A labelled flow, the source it is from and the family it is compared in."""

    source: str
    family: str
    record: FlowRecord


class System(Protocol):
    """Something that scores flows. `release` and `points` are empty for what is no release."""

    name: str
    release: str
    points: OperatingPoints

    def score(self, records: Sequence[FlowRecord]) -> Floats:
        """float [N, len(TARGETS)]; higher is worse."""


class SourceReport(msgspec.Struct):
    """How well one system does on one source (or on all of a family, `source` then being `*`).

    `auroc` is [value, low, high]; `against` says whose rows the other class came from. `tpr` is by false-positive
    rate over the family's harmless rows. `flagged` is, by nominal rate, the share of the source's harmless rows that
    reach the release's own threshold, and `found` that of its attacks; both are empty for a system without thresholds.
    """

    source: str
    family: str
    target: str
    positives: int
    negatives: int
    against: str
    auroc: tuple[float, float, float] | None
    tpr: dict[str, float]
    flagged: dict[str, float] = {}
    found: dict[str, float] = {}
    ece: float | None = None


class Judgement(NamedTuple):
    """All examples as columns, with the scores of every system."""

    sources: list[str]
    families: list[str]
    labels: list[Label]
    keys: list[str]
    scores: dict[str, Floats]
    """System → float [N, len(TARGETS)]."""


def read(files: Iterable[Path], bad: list[BadLine]) -> Iterator[Example]:
    """The labelled flows of JSON-lines files; what has no label or cannot be read is put into `bad`.

    A key `source` beside the record's own names the source; the file's name is the default.
    """
    for path in files:
        with open_file(path) as file:
            for number, line in enumerate(file, 1):
                where = f"{path}:{number}"
                try:
                    record = from_json(line)
                    source = str(json.loads(line).get("source") or path.stem)
                except ValueError as error:
                    bad.append(BadLine(where, str(error)))
                    continue
                if record.label is None:
                    bad.append(BadLine(where, "has no label"))
                    continue
                yield Example(source, family(source, record), record)


def family(source: str, record: FlowRecord) -> str:
    """The sort of evidence: from the source's name where it is a corpus table, else from the record."""
    known = _FAMILIES.get(source.partition(":")[0])
    if known:
        return known
    if record.kind in ("dns", "tls", "tcp"):
        return record.kind
    if record.phase == "connect":
        return "domain"
    if record.phase == "response":
        return "flows"
    bare = record.host and not record.request_headers and not record.request_body and record.kind == "http"
    return "url" if bare else "http"


def judge(examples: Iterable[Example], systems: Sequence[System], progress: Any = None) -> Judgement:
    """Score all examples with all systems, a chunk at a time; `progress.at(done)` is told how far it is."""
    found = Judgement([], [], [], [], {})
    parts: dict[str, list[Floats]] = {system.name: [] for system in systems}
    for chunk in batched(examples, CHUNK):
        records = [example.record for example in chunk]
        for system in systems:
            parts[system.name].append(system.score(records))
        found.sources.extend(example.source for example in chunk)
        found.families.extend(example.family for example in chunk)
        found.labels.extend(record.label or Label.BENIGN for record in records)
        found.keys.extend(map(operating_key, records))
        if progress is not None:
            progress.at(len(found.sources))
    empty = np.zeros((0, len(TARGETS)))
    return found._replace(scores={name: np.concatenate(part or [empty]) for name, part in parts.items()})


def reports(judgement: Judgement, system: System, seed: int = 0) -> list[SourceReport]:
    """Families (`source` is `*`) first, then sources, each for every target it has rows of."""
    columns = _Columns(judgement, system)
    places = sorted(set(zip(judgement.sources, judgement.families, strict=True)))
    places = [*(("*", family) for family in sorted(set(judgement.families))), *places]
    return [
        report
        for source, family in places
        for target in TARGETS
        for report in columns.report(source, family, target, seed)
    ]


class _Columns:
    """A judgement as arrays, for one system."""

    def __init__(self, judgement: Judgement, system: System) -> None:
        self._scores = judgement.scores[system.name]
        self._source = np.asarray(judgement.sources)
        self._family = np.asarray(judgement.families)
        labels = np.asarray([str(label) for label in judgement.labels])
        self._benign: Bools = labels == str(Label.BENIGN)
        threats = ~np.isin(labels, [str(label) for label in HARMLESS])
        self._hostile = {THREAT: threats, "scanner": labels == "scanner", "tracker": labels == "tracker"}
        self._limits = {
            rate: np.asarray([_limit(system.points, key, rate) for key in judgement.keys]) for rate in NOMINAL
        }

    def report(self, source: str, family: str, target: str, seed: int) -> Iterator[SourceReport]:
        """One report, or none where the source has nothing to say about the target."""
        inside = self._family == family
        chosen = inside if source == "*" else inside & (self._source == source)
        hostile, benign = self._hostile[target] & chosen, self._benign & chosen
        if not hostile.any() and (target != THREAT or not benign.any()):
            return
        negatives, positives, against = benign, hostile, "own"
        if benign.sum() < ENOUGH or hostile.sum() < ENOUGH:
            against = "family"
            if hostile.sum() < benign.sum():
                positives = self._hostile[target] & inside
            else:
                negatives = self._benign & inside
        score = self._scores[:, TARGETS.index(target)]
        area = self._area(score, negatives, positives, seed)
        yield SourceReport(
            source=source,
            family=family,
            target=target,
            positives=int(hostile.sum()),
            negatives=int(benign.sum()),
            against=against if area else "",
            auroc=(round(area.value, 5), round(area.low, 5), round(area.high, 5)) if area else None,
            tpr=_tpr(score[self._benign & inside], score[hostile]),
            flagged=self._reached(score, benign) if target == THREAT else {},
            found=self._reached(score, hostile) if target == THREAT else {},
            ece=_ece(score, hostile, benign) if target == THREAT else None,
        )

    def _area(self, score: Floats, negatives: Bools, positives: Bools, seed: int) -> Interval | None:
        """Rows of one source are no independent evidence: where there are sources enough, whole ones are resampled."""
        if not negatives.any() or not positives.any():
            return None
        rows = negatives | positives
        sources = min(len(np.unique(self._source[side])) for side in (negatives, positives))
        clusters = self._source[rows] if sources >= CLUSTERS else None
        return auroc_interval(positives[rows], score[rows], clusters=clusters, seed=seed)

    def _reached(self, score: Floats, rows: Bools) -> dict[str, float]:
        """Share of `rows` at or above the release's own thresholds, over those that have one."""
        shares = {}
        for rate, limits in self._limits.items():
            known = rows & np.isfinite(limits)
            if known.any():
                shares[rate] = round(float((score[known] >= limits[known]).mean()), 6)
        return shares


def encode(found: Sequence[tuple[System, Sequence[SourceReport]]], rows: int, skipped: int) -> bytes:
    """All figures as indented JSON: `{rows, skipped, systems: [{name, release, reports: […]}]}`."""
    systems = [{"name": system.name, "release": system.release, "reports": reports} for system, reports in found]
    plain = msgspec.json.encode({"rows": rows, "skipped": skipped, "systems": systems})
    return msgspec.json.format(plain, indent=1) + b"\n"


def _limit(points: OperatingPoints, key: str, rate: str) -> float:
    point = points.get(key, {}).get(THREAT, {}).get(rate)
    return point.threshold if point else float("nan")


def _tpr(benign: Floats, hostile: Floats) -> dict[str, float]:
    return (
        {rate: round(tpr_at_fpr(benign, hostile, float(rate)), 5) for rate in RATES}
        if len(benign) and len(hostile)
        else {}
    )


def _ece(score: Floats, hostile: Bools, benign: Bools) -> float:
    rows = hostile | benign
    return round(ece(np.stack([1 - score[rows], score[rows]], axis=1), hostile[rows].astype(int)), 5)

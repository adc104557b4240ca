"""The project's targets held against an evaluation: what was wanted, what came out, and where it falls short.

Sources with fewer than `ENOUGH` hostile rows, or `RARE` harmless ones, decide nothing: their figures are in the
tables and their intervals say why.
"""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from classifier.thresholds import BLOCK_AT, FLAG_AT, THREAT
from classifier.training.evaluation.baseline import NAME as BASELINE
from classifier.training.evaluation.cells import plain
from classifier.training.evaluation.evasions import POOLED
from classifier.training.evaluation.figures import Evaluation, SystemFigures, Target
from classifier.training.evaluation.sources import ENOUGH, NOMINAL, WHOLE, SourceReport

RARE: Final = 300
"""Harmless rows below which a rate of one in a hundred is not measured."""
WORD_LISTS: Final = frozenset({"urls:wbdga"})
"""Sources of generated names that are made of words."""
POPULAR: Final = frozenset({"urls:opendns_top"})
NAMES: Final = ("url", "domain")
MEGABYTES: Final = 8


class Measured(NamedTuple):
    """A figure and where it comes from."""

    place: str
    value: float


def targets(evaluation: Evaluation) -> list[Target]:
    """Every target, in the order of the issue that set them. Judged is the first system."""
    if not evaluation.systems:
        return []
    system = evaluation.systems[0]
    baseline = next((each for each in evaluation.systems if each.name == BASELINE), None)
    return [
        *_requests(system),
        *_names(system, baseline),
        *_answers(system),
        *_evasions(evaluation),
        *_budget(system),
    ]


def _requests(system: SystemFigures) -> Iterator[Target]:
    attacks = [report for report in _threats(system, ("http",)) if report.positives >= ENOUGH]
    yield at_least("requests: area under ROC, each source", 0.995, _areas(attacks))
    yield at_least(
        "requests: attacks found at 0.1 % false positives on modern traffic, each source",
        0.95,
        [Measured(plain(report.source), report.modern["0.001"]) for report in attacks if "0.001" in report.modern],
    )
    yield _transfers("requests: multiple of the nominal rate on harmless traffic, each source and rate", system, "http")
    whole = [report for report in system.reports if (report.source, report.family) == (WHOLE, "http")]
    balanced = [
        Measured(f"{rate} point", report.balanced[rate])
        for report in whole
        for rate in (FLAG_AT, BLOCK_AT)
        if report.target == THREAT and rate in report.balanced
    ]
    best = [max(balanced, key=lambda each: each.value)] if balanced else []
    yield at_least("requests: balanced accuracy at a shipped point (open-appsec 0.9945, CRS 0.868)", 0.9945, best)
    found = [Measured("all", report.tpr["0.0007"]) for report in whole if "0.0007" in report.tpr and _is_threat(report)]
    yield at_least("requests: found at 0.07 % false positives (SafeLine 0.7165)", 0.7165, found)


def _names(system: SystemFigures, baseline: SystemFigures | None) -> Iterator[Target]:
    hostile = [report for report in _threats(system, NAMES) if report.positives >= ENOUGH]
    yield at_least("phishing and malware URLs: area under ROC, each source", 0.95, _areas(_of(hostile, "url")))
    generated = [report for report in hostile if _mostly(report, "dga") and report.source not in WORD_LISTS]
    yield at_least("generated names other than word lists: area under ROC", 0.95, _areas(generated))
    if baseline:
        yield from _above(hostile, {(each.source, each.family, each.target): each for each in baseline.reports})
    for family in NAMES:
        title = f"{family}s: multiple of the nominal rate on harmless traffic, each source and rate"
        yield _transfers(title, system, family)
    popular = [
        Measured(plain(report.source), report.flagged[FLAG_AT])
        for report in _threats(system, NAMES)
        if report.source in POPULAR and FLAG_AT in report.flagged
    ]
    yield at_most("popular sites flagged", 0.001, popular)
    whole = [report for report in system.reports if report.source == WHOLE and report.family in NAMES]
    errors = [Measured(f"{report.family}s", report.ece_1) for report in whole if report.ece_1 is not None]
    yield at_most("URLs and domains: expected calibration error at 1 % threats", 0.02, errors)


def _above(hostile: list[SourceReport], other: dict[tuple[str, str, str], SourceReport]) -> Iterator[Target]:
    areas, ratios = [], []
    for report in hostile:
        base = other.get((report.source, report.family, report.target))
        if not base or not report.auroc or not base.auroc:
            continue
        areas.append(Measured(plain(report.source), report.auroc[0] - base.auroc[0]))
        found = base.tpr.get("0.01", 0.0)
        ratios.append(Measured(plain(report.source), report.tpr.get("0.01", 0.0) / found if found else float("inf")))
    yield at_least("URLs and domains: area above the baseline's, each source", 0.0, areas)
    yield at_least("URLs and domains: found at 1 % false positives, as a multiple of the baseline's", 2.0, ratios)


def _answers(system: SystemFigures) -> Iterator[Target]:
    gains = [
        Measured(report.what, report.gain[0])
        for report in system.phases
        if report.positives >= ENOUGH and report.source == WHOLE
    ]
    yield at_least("transactions: gain in area by the response, origin hidden", 0.0, gains, strict=True)


def _evasions(evaluation: Evaluation) -> Iterator[Target]:
    kept = [
        Measured(each.family, each.kept)
        for each in evaluation.evasions
        if (each.label, each.variant, each.at) == ("attack", POOLED, f"own {FLAG_AT}") and each.kept is not None
    ]
    yield at_least("rewritten attacks: share of the detection that is kept, each rewrite", 0.95, kept)


def _budget(system: SystemFigures) -> Iterator[Target]:
    sizes = [Measured(name, size / 1e6) for name, size in system.bytes.items()]
    yield at_most("megabytes of a file", MEGABYTES, sizes)


def at_least(name: str, least: float, found: Iterable[Measured], *, strict: bool = False) -> Target:
    """A target that holds where every figure is at least `least` (above it when `strict`)."""
    figures = sorted(found, key=lambda each: each.value)
    missed = [each for each in figures if each.value < least or (strict and each.value == least)]
    return _target(name, f"{'>' if strict else '≥'} {least:g}", figures, missed)


def at_most(name: str, most: float, found: Iterable[Measured]) -> Target:
    """A target that holds where every figure is at most `most`."""
    figures = sorted(found, key=lambda each: -each.value)
    return _target(name, f"≤ {most:g}", figures, [each for each in figures if each.value > most])


def _target(name: str, wanted: str, figures: list[Measured], missed: list[Measured]) -> Target:
    if not figures:
        return Target(name, wanted, "not measured", None)
    worst = f"{figures[0].value:.4g} ({figures[0].place})"
    measured = worst if len(figures) == 1 else f"worst of {len(figures)}: {worst}"
    return Target(name, wanted, measured, not missed, [f"{each.place} {each.value:.4g}" for each in missed])


def _transfers(name: str, system: SystemFigures, family: str) -> Target:
    """Whether a rate lies within a factor of two above its nominal value, where there are rows enough to tell."""
    found = [
        Measured(f"{plain(report.source)} at {rate}", report.transfer[rate][0])
        for report in _threats(system, (family,))
        for rate in NOMINAL
        if rate in report.transfer and report.negatives * float(rate) >= RARE * float(NOMINAL[0])
    ]
    return at_most(name, 2, found)


def _threats(system: SystemFigures, families: Iterable[str]) -> list[SourceReport]:
    """Single sources' reports on threats."""
    return [each for each in system.reports if each.family in families and each.source != WHOLE and _is_threat(each)]


def _is_threat(report: SourceReport) -> bool:
    return report.target == THREAT


def _areas(found: Iterable[SourceReport]) -> list[Measured]:
    return [Measured(plain(report.source), report.auroc[0]) for report in found if report.auroc]


def _of(found: Iterable[SourceReport], family: str) -> list[SourceReport]:
    return [report for report in found if report.family == family]


def _mostly(report: SourceReport, label: str) -> bool:
    """Whether most of a source's hostile rows have the label; a file without counts says nothing."""
    return 2 * report.labels.get(label, 0) > report.positives

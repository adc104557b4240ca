"""The tables of an evaluation, built once and shown on the terminal, on the page and in the model card."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from classifier.records import LABELS
from classifier.thresholds import BLOCK_AT, FLAG_AT, THREAT
from classifier.training.evaluation.cells import (
    OFF,
    area,
    discord,
    factor,
    interval,
    number,
    pair,
    plain,
    share,
    short,
    signed,
)
from classifier.training.evaluation.compare import Comparison
from classifier.training.evaluation.evasions import POOLED
from classifier.training.evaluation.figures import Evaluation, SystemFigures
from classifier.training.evaluation.sources import NOMINAL, WHOLE, SourceReport

TITLES: Final = {
    **{"http": "Requests (whole requests, and values in plain carriers)", "url": "URLs", "domain": "Domains"},
    **{"flows": "Captured transactions", "tls": "TLS handshakes", "dns": "DNS messages", "tcp": "TCP connections"},
}
"""Headings of the families."""
_Key = tuple[str, str, str]


class Table(NamedTuple):
    """Headings and rows of text; the first `left` columns are names. `note` says how to read it."""

    title: str
    note: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    left: int = 1


def families(evaluation: Evaluation) -> list[str]:
    """In the order of `TITLES`, others last."""
    found = {report.family for system in evaluation.systems for report in system.reports}
    return [*(name for name in TITLES if name in found), *sorted(found - TITLES.keys())]


def summary(evaluation: Evaluation) -> Table:
    """One row a system: requests as a whole, and what one costs."""
    rows = []
    for system in evaluation.systems:
        report = _reports(system).get((WHOLE, "http", THREAT))
        balanced = report.balanced if report else {}
        rows.append(
            [
                short(system.name),
                area(report.auroc if report else None),
                *(share(balanced.get(rate)) for rate in (FLAG_AT, BLOCK_AT)),
                *(share(report.modern.get(rate) if report else None) for rate in ("0.01", "0.001")),
                share(report.tpr.get("0.0007") if report else None),
                f"{system.microseconds:.0f}" if system.microseconds is not None else "",
            ]
        )
    return Table(
        "Requests, all sources together",
        "Balanced accuracy is the mean of the attacks caught and the harmless requests let through. Found: the share "
        "of attacks caught by a threshold that so many harmless requests reach. Microseconds: median of one request "
        "alone, on this machine.",
        [
            "system",
            "area under ROC [95 %]",
            f"balanced accuracy at the {FLAG_AT} point",
            f"at the {BLOCK_AT} point",
            "found at 1 % of modern traffic",
            "at 0.1 %",
            "found at 0.07 % of all harmless",
            "µs per request",
        ],
        rows,
    )


def hostile(evaluation: Evaluation, family: str) -> Table:
    """The sources of a family that have threats, one row for each system."""
    modern = ["found at 1 % / 0.1 % of modern traffic"] if family == "http" else []
    rows = []
    for name, report, first in _grouped(evaluation, family):
        if not report.positives:
            continue
        size = [str(report.positives), f"{report.negatives} ({report.against})" if report.against else ""]
        rows.append(
            [
                *([plain(report.source), *size] if first else ["", "", ""]),
                name,
                area(report.auroc),
                pair(report.tpr, ("0.01", "0.001")),
                *([pair(report.modern, ("0.01", "0.001"))] if modern else []),
                *(number(report.found.get(rate)) for rate in (FLAG_AT, BLOCK_AT)),
                *(number(report.balanced.get(rate)) for rate in (FLAG_AT, BLOCK_AT)),
                number(report.ap),
                number(report.ece_1),
            ]
        )
    headings = ["source", "hostile", "harmless (against)", "system", "area under ROC [95 %]"]
    headings += ["found at 1 % / 0.1 % false positives", *modern]
    headings += [f"found at the shipped {FLAG_AT} point", f"at the {BLOCK_AT} point"]
    headings += [f"balanced accuracy at {FLAG_AT}", f"at {BLOCK_AT}", "average precision", "ECE at 1 %"]
    note = (
        "Area under ROC: the chance that a threat scores above a harmless flow; 1 is perfect, 0.5 is guessing. A "
        "source without enough rows of one class is held against its family's (family). Balanced accuracy: the mean "
        "of threats caught and harmless flows let through. ECE: how far scores are from true shares at 1 % threats."
    )
    return Table("Threats", note, headings, rows)


def harmless(evaluation: Evaluation, family: str) -> Table:
    """The sources of a family that have harmless rows, and how far the thresholds hold there, one row a system."""
    rows = [
        [
            *([plain(report.source), str(report.negatives)] if first else ["", ""]),
            name,
            *(" ".join(filter(None, _held(report, rate))) for rate in NOMINAL),
        ]
        for name, report, first in _grouped(evaluation, family)
        if report.negatives and report.flagged
    ]
    note = (
        "The share of a source's harmless flows that reach each threshold, and in brackets how many times the share it "
        f"was set for, with the 95 % interval; more than {OFF:g} times, where that is no accident, is marked with !."
    )
    headings = ["harmless source", "rows", "system", *(f"reach the {rate} point" for rate in NOMINAL)]
    return Table("Harmless flows", note, headings, rows)


def others(evaluation: Evaluation, family: str) -> Table:
    """Trackers and scanners, told from harmless flows by their own scores."""
    names = [short(system.name) for system in evaluation.systems]
    rows = [
        [
            plain(first.source),
            first.target,
            str(first.positives),
            *(area(each.auroc if each else None) for each in reports),
        ]
        for target in ("scanner", "tracker")
        for reports in _aligned(evaluation, family, target)
        for first in [_first(reports)]
        if first.positives
    ]
    headings = ["source", "target", "rows", *(_of("area under ROC [95 %]", name, names) for name in names)]
    note = "Probes and trackers have scores of their own; they do not block."
    return Table("Scanners and trackers", note, headings, rows, 2)


def phases(system: SystemFigures) -> Table:
    """The same transactions without and with their response."""
    rows = [
        [
            plain(each.source),
            each.what,
            str(each.positives),
            f"{each.negatives} ({each.against})",
            area(each.request),
            area(each.response),
            signed(each.gain),
        ]
        for each in system.phases
    ]
    note = (
        "The same captured transactions, judged by the request alone and with the response. Capture kind, year and "
        "server are hidden from both. A gain above 0 says that the response helps."
    )
    headings = ["source", "what", "hostile", "harmless (against)", "request", "with the response", "gain [95 %]"]
    return Table("Request against response", note, headings, rows, 2)


def confusion(system: SystemFigures) -> Table:
    """Rows are what flows are, columns what they were taken for."""
    used = {guess for counts in system.confusion.values() for guess in counts}
    named = [str(label) for label in LABELS if str(label) in used | system.confusion.keys()]
    rows = [
        [label, str(sum(counts.values())), *(str(counts.get(guess, "")) for guess in named)]
        for label, counts in system.confusion.items()
    ]
    note = "Each row is what the flows are, each column what they were taken for (the likeliest label)."
    return Table(f"Confusion matrix: {short(system.name)}", note, ["is", "flows", *named], rows)


def evasions(evaluation: Evaluation, *, pooled: bool = False) -> Table:
    """What rewriting does; with `pooled` only to attacks, one row for each sort of rewriting and threshold."""
    rows = [
        [
            each.family,
            each.variant,
            each.label,
            each.at,
            str(each.rows),
            share(each.before),
            share(each.after),
            interval(each.kept, each.low, each.high),
        ]
        for each in evaluation.evasions
        if not pooled or (each.variant, each.label) == (POOLED, "attack")
    ]
    note = (
        "Attacks, and harmless requests, rewritten as somebody would who wants to slip past a filter. Kept: of those "
        "flagged before, the share that is still flagged. At: which threshold counts."
    )
    headings = ["rewriting", "variant", "of", "at", "rows", "flagged before", "after", "kept [95 %]"]
    return Table("Evasions", note, headings, rows, 4)


def ablations(evaluation: Evaluation) -> Table:
    """What scores owe to single parts of the evidence."""
    rows = [
        [
            plain(each.source),
            each.family,
            each.name,
            str(each.rows),
            area(each.auroc),
            "" if each.change is None else f"{each.change:+.4f}",
        ]
        for each in evaluation.ablations
    ]
    note = "The area when a part of the evidence is taken away or exchanged; a large drop says what the score leans on."
    return Table("Ablations", note, ["source", "family", "change", "rows", "area under ROC [95 %]", "drop"], rows, 3)


def comparison(found: Comparison) -> Table:
    """How two systems differ on each source."""
    rows = [
        [
            plain(each.source),
            f"{each.family} {each.target}",
            str(each.positives),
            str(each.negatives),
            signed(each.auroc),
        ]
        + [discord(table.get(rate)) for rate in (FLAG_AT, BLOCK_AT) for table in (each.found, each.passed)]
        for each in found.differences
    ]
    first, second = short(found.a), short(found.b)
    note = (
        f"Difference of the areas ({first} less {second}) on the flows that both judge, with the interval of a paired "
        "bootstrap: above 0 the first is better. Verdicts: flows only the first gets right / only the second, and the "
        "chance of such a split by luck (McNemar)."
    )
    verdicts = [f"{what} at {rate}" for rate in (FLAG_AT, BLOCK_AT) for what in ("attacks", "harmless")]
    headings = ["source", "what", "hostile", "harmless", "difference [95 %]", *verdicts]
    return Table(f"{first} against {second}", note, headings, rows, 2)


def flips(found: Comparison) -> Table:
    """Verdicts that differ between two releases."""
    first, second = short(found.a), short(found.b)
    rows = [
        [each.family, "hostile" if each.hostile else "harmless", each.first, each.second, str(each.count)]
        for each in found.flips
    ]
    note = f"Flows that {first} treats one way and {second} another, at the points each ships."
    return Table("Verdicts that flip", note, ["family", "flows that are", first, second, "how many"], rows, 4)


def targets(evaluation: Evaluation) -> Table:
    """Wanted against measured."""
    rows = [
        [
            each.name,
            each.wanted,
            each.measured,
            "" if each.met is None else "met" if each.met else "missed",
            ", ".join(each.missed[:6]) + (" …" if len(each.missed) > 6 else ""),
        ]
        for each in evaluation.targets
    ]
    note = "What the project set out to reach. A figure that misses stays here as it is."
    return Table("Targets", note, ["target", "wanted", "measured", "", "missed at"], rows)


def _reports(system: SystemFigures) -> dict[_Key, SourceReport]:
    return {(report.source, report.family, report.target): report for report in system.reports}


def _aligned(evaluation: Evaluation, family: str, target: str) -> Iterator[list[SourceReport | None]]:
    """For each source the reports of all systems; one that could not judge it has None."""
    by_system = [_reports(system) for system in evaluation.systems]
    keys = dict.fromkeys(key for found in by_system for key in found if key[1:] == (family, target))
    for key in keys:
        yield [found.get(key) for found in by_system]


def _grouped(evaluation: Evaluation, family: str) -> Iterator[tuple[str, SourceReport, bool]]:
    """(system, report on threats, whether it is the first of its source) for each source and system."""
    names = [short(system.name) for system in evaluation.systems]
    for reports in _aligned(evaluation, family, THREAT):
        known = [(name, report) for name, report in zip(names, reports, strict=True) if report]
        for place, (name, report) in enumerate(known):
            yield name, report, place == 0


def _held(report: SourceReport, rate: str) -> list[str]:
    if rate not in report.flagged:
        return []
    return [number(report.flagged[rate]), factor(report.transfer.get(rate))]


def _first(reports: Iterable[SourceReport | None]) -> SourceReport:
    return next(report for report in reports if report)


def _of(heading: str, name: str, names: Sequence[str]) -> str:
    return f"{name}: {heading}" if len(names) > 1 else heading

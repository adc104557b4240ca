"""Evaluation as one page that needs nothing beside it: tables, pictures, and the worst errors explained.

Written for somebody who knows networks: every table and picture says in a sentence how it is read.
"""

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Final, NamedTuple

from classifier.records import LABELS, FlowRecord
from classifier.thresholds import BLOCK_AT, FLAG_AT
from classifier.training.evaluation import plots, tables
from classifier.training.evaluation.baseline import read
from classifier.training.evaluation.cells import plain, short
from classifier.training.evaluation.figures import Evaluation
from classifier.training.evaluation.flipped import Flipped
from classifier.training.evaluation.measure import Judgement
from classifier.training.evaluation.shell import document, figure, table
from classifier.training.evaluation.tables import Table
from classifier.training.evaluation.worst import Error

SHOWN: Final = 600
LINE: Final = 90
"""Characters of a flow that are shown, and of its first line."""
_ROC: Final = (
    "Left: the further a line is up and to the left, the better. The axis is logarithmic because only the left counts: "
    "at 0.001 one harmless flow in a thousand is flagged. Right: of what is flagged, how much is an attack, if one "
    "flow in a hundred is hostile; a line that stays at the top means few false alarms. One line for each source."
)
_RELIABILITY: Final = (
    "A score can be believed where the dots lie on the diagonal: of the flows scored 0.8 then 80 % are hostile. Below "
    "it scores are too high, above it too low. Hostile flows are weighted down until they are 1 % of all; the error is "
    "the mean distance from the diagonal, weighted by how many flows a dot stands for (the target is 0.02)."
)
_CONFUSION: Final = (
    "Percent of each row. Read a row from left to right: what the flows of that label were taken for. "
    "A perfect filter has 100 on the diagonal."
)
_EVASIONS: Final = (
    "Of the attacks on requests that were flagged as they came, the share that is still flagged after the rewriting, "
    "with its 95 % interval. A short bar is a way around the filter."
)
_WORST: Final = (
    "Harmless flows with the highest threat and hostile ones with the lowest, at most a few of a source, secrets "
    "masked. Marked is what carried the score, with how far its log-odds fall without that piece; without all of "
    "them the threat would be the last figure. Many are errors of the labels."
)


class Cases(NamedTuple):
    """Single flows that are shown: the errors of one system, and what two releases treat differently."""

    errors: Sequence[Error] = ()
    flipped: Sequence[tuple[str, str, Sequence[Flipped]]] = ()
    """First system, second system, flows."""


def write(path: Path, evaluation: Evaluation, judgement: Judgement, cases: Cases) -> None:
    """Write the page."""
    names = " and ".join(escape(short(system.name)) for system in evaluation.systems)
    intro = f"<p>{names}, judged on {evaluation.rows:,} labelled flows{_skipped(evaluation)}.</p>"
    page = document("Evaluation", "Evaluation by source", intro, list(_sections(evaluation, judgement, cases)))
    path.write_text(page, "utf-8")


def _sections(evaluation: Evaluation, judgement: Judgement, cases: Cases) -> Iterator[tuple[str, str]]:
    if evaluation.targets:
        yield "Targets", table(tables.targets(evaluation), wide=True)
    yield "At a glance", table(tables.summary(evaluation))
    images = dict(plots.curves(judgement))
    for family in tables.families(evaluation):
        found = [make(evaluation, family) for make in (tables.hostile, tables.harmless, tables.others)]
        picture = figure(images[family], "ROC and precision-recall", _ROC) if family in images else ""
        yield tables.TITLES.get(family, family), picture + "".join(map(_titled, found))
    answers = [tables.phases(system)._replace(title=short(system.name)) for system in evaluation.systems]
    if any(table.rows for table in answers):
        yield "Request against response", "".join(map(_titled, answers))
    yield "Can the score be believed?", "".join(_calibration(evaluation, judgement))
    if any(system.confusion for system in evaluation.systems):
        yield "Confusion matrix", "".join(_confusions(evaluation))
    yield from _rewritten(evaluation)
    yield from _compared(evaluation, cases)
    if cases.errors:
        yield "Worst errors", f"<p>{escape(_WORST)}</p>" + "".join(map(_error, cases.errors))


def _calibration(evaluation: Evaluation, judgement: Judgement) -> Iterator[str]:
    for system in evaluation.systems:
        image = plots.reliability(judgement, system.name) if system.release else None
        if image:
            title = f"Reliability diagram: {short(system.name)}"
            yield f"<h3>{escape(title)}</h3>" + figure(image, title, _RELIABILITY)


def _confusions(evaluation: Evaluation) -> Iterator[str]:
    for system in evaluation.systems:
        if system.confusion:
            image = plots.confusion(system.confusion, [str(label) for label in LABELS])
            counts = table(tables.confusion(system))
            yield f"<h3>{escape(short(system.name))}</h3>" + figure(image, "Confusion matrix", _CONFUSION)
            yield f"<details><summary>Counts</summary>{counts}</details>\n"


def _rewritten(evaluation: Evaluation) -> Iterator[tuple[str, str]]:
    if evaluation.evasions:
        images = [plots.evasions(evaluation.evasions, f"own {rate}") for rate in (FLAG_AT, BLOCK_AT)]
        shown = [
            f"<h3>At the shipped {rate} point</h3>" + figure(image, "Attacks kept, by rewrite", _EVASIONS)
            for rate, image in zip((FLAG_AT, BLOCK_AT), images, strict=True)
            if image
        ]
        counts = table(tables.evasions(evaluation))
        yield "Evasions", f"{''.join(shown)}<details><summary>All figures</summary>{counts}</details>\n"
    if evaluation.ablations:
        yield "Ablations", table(tables.ablations(evaluation))


def _compared(evaluation: Evaluation, cases: Cases) -> Iterator[tuple[str, str]]:
    for found in evaluation.comparisons:
        shift = tables.comparison(found)
        flows = [
            flow for first, second, flows in cases.flipped if (first, second) == (found.a, found.b) for flow in flows
        ]
        shown = "".join(_flip(flow) for flow in flows)
        yield shift.title, table(shift) + _titled(tables.flips(found)) + shown


def _titled(found: Table) -> str:
    return f"<h3>{escape(found.title)}</h3>{table(found)}" if found.rows else ""


def _error(error: Error) -> str:
    why = error.explanation
    taken = f", taken for {escape(str(why.label))}" if why else ""
    kind = "false alarm" if error.harmless else "missed"
    told = (
        f"<summary><b>{kind}</b>: threat {error.threat:.4f}{taken}; is {escape(str(error.record.label))} "
        f"({escape(plain(error.source))}, {escape(error.family)}) {_line(error.record)}</summary>"
    )
    spans = [span.text for span in why.spans] if why else []
    text = f"<pre>{_marked(read(error.record)[:SHOWN], spans)}</pre>"
    if not why or not why.spans:
        return f"<details>{told}{text}</details>\n"
    carried = ", ".join(
        f"{escape(span.part)} <code>{escape(span.text)}</code> ({span.weight:.2f})" for span in why.spans
    )
    return f"<details>{told}{text}<p>Carried by {carried}. Without: {why.without:.4f}.</p></details>\n"


def _flip(flow: Flipped) -> str:
    first, second = flow.threats
    return (
        f"<details><summary>{flow.actions[0]} ({first:.4f}) → {flow.actions[1]} ({second:.4f}); is "
        f"{escape(str(flow.record.label))} ({escape(plain(flow.source))}) {_line(flow.record)}</summary>"
        f"<pre>{escape(read(flow.record)[:SHOWN])}</pre></details>\n"
    )


def _line(record: FlowRecord) -> str:
    """The start of the flow's first line."""
    return f"<code>{escape(read(record).strip().partition(chr(10))[0][:LINE])}</code>"


def _marked(text: str, spans: Sequence[str]) -> str:
    """The text as HTML with the first place of each span marked."""
    marks = [False] * len(text)
    for span in filter(None, spans):
        start = text.find(span)
        if start >= 0:
            marks[start : start + len(span)] = [True] * len(span)
    parts, start = [], 0
    for end in range(1, len(text) + 1):
        if end == len(text) or marks[end] != marks[start]:
            piece = escape(text[start:end])
            parts.append(f"<mark>{piece}</mark>" if marks[start] else piece)
            start = end
    return "".join(parts)


def _skipped(evaluation: Evaluation) -> str:
    return f" ({evaluation.skipped:,} inputs could not be read)" if evaluation.skipped else ""

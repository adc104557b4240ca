"""Evaluation as one page that needs nothing beside it: tables, pictures, and the worst errors explained.

Written for somebody who knows networks: every table and picture says in a sentence how it is read.
"""

import base64
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
from classifier.training.evaluation.tables import Table
from classifier.training.evaluation.worst import Error

SHOWN: Final = 600
LINE: Final = 90
"""Characters of a flow that are shown, and of its first line."""
_STYLE: Final = """
:root{color-scheme:light dark;--line:#8884;--soft:#8881;--good:#1a7f37;--bad:#c4432b}
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:82rem;padding:0 1.2rem}
h1{margin-bottom:.2rem}h2{margin-top:2.6rem;border-bottom:2px solid var(--line)}h3{margin:1.6rem 0 .2rem}
p{max-width:62rem;margin:.3rem 0 .6rem}nav{margin:1rem 0;line-height:2}nav a{margin-right:1rem}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-size:13.5px}
td,th{padding:.25rem .6rem;border-bottom:1px solid var(--line);text-align:right;vertical-align:top}
th{vertical-align:bottom;font-weight:600;background:var(--soft);min-width:3.2rem}
td{font-variant-numeric:tabular-nums;white-space:nowrap}
.name{text-align:left;white-space:normal;overflow-wrap:anywhere;min-width:7rem}
.wide td,.wide th{white-space:normal;text-align:left}
.wide td:nth-child(2){white-space:nowrap}
tr.all{font-weight:600}.met{color:var(--good)}.missed{color:var(--bad);font-weight:600}
img{max-width:100%;background:#fff;border-radius:4px}figure{margin:1rem 0}figcaption{max-width:62rem}
details{margin:.35rem 0;border:1px solid var(--line);border-radius:4px;padding:.3rem .7rem}summary{cursor:pointer}
pre{white-space:pre-wrap;overflow-wrap:anywhere;background:var(--soft);padding:.6rem;margin:.5rem 0;font-size:12.5px}
mark{background:#f5c24288;color:inherit;border-radius:2px}
"""
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
    sections = list(_sections(evaluation, judgement, cases))
    links = "".join(f'<a href="#{_anchor(title)}">{escape(title)}</a>' for title, _ in sections)
    body = "".join(f'<h2 id="{_anchor(title)}">{escape(title)}</h2>\n{content}' for title, content in sections)
    names = " and ".join(escape(short(system.name)) for system in evaluation.systems)
    path.write_text(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>Evaluation</title><style>{_STYLE}</style>\n<h1>Evaluation by source</h1>"
        f"<p>{names}, judged on {evaluation.rows:,} labelled flows{_skipped(evaluation)}.</p><nav>{links}</nav>\n"
        f"{body}</html>\n",
        "utf-8",
    )


def _sections(evaluation: Evaluation, judgement: Judgement, cases: Cases) -> Iterator[tuple[str, str]]:
    if evaluation.targets:
        yield "Targets", _table(tables.targets(evaluation), wide=True)
    yield "At a glance", _table(tables.summary(evaluation))
    images = dict(plots.curves(judgement))
    for family in tables.families(evaluation):
        found = [make(evaluation, family) for make in (tables.hostile, tables.harmless, tables.others)]
        picture = _figure(images[family], "ROC and precision-recall", _ROC) if family in images else ""
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
            yield f"<h3>{escape(title)}</h3>" + _figure(image, title, _RELIABILITY)


def _confusions(evaluation: Evaluation) -> Iterator[str]:
    for system in evaluation.systems:
        if system.confusion:
            image = plots.confusion(system.confusion, [str(label) for label in LABELS])
            counts = _table(tables.confusion(system))
            yield f"<h3>{escape(short(system.name))}</h3>" + _figure(image, "Confusion matrix", _CONFUSION)
            yield f"<details><summary>Counts</summary>{counts}</details>\n"


def _rewritten(evaluation: Evaluation) -> Iterator[tuple[str, str]]:
    if evaluation.evasions:
        images = [plots.evasions(evaluation.evasions, f"own {rate}") for rate in (FLAG_AT, BLOCK_AT)]
        shown = [
            f"<h3>At the shipped {rate} point</h3>" + _figure(image, "Attacks kept, by rewrite", _EVASIONS)
            for rate, image in zip((FLAG_AT, BLOCK_AT), images, strict=True)
            if image
        ]
        counts = _table(tables.evasions(evaluation))
        yield "Evasions", f"{''.join(shown)}<details><summary>All figures</summary>{counts}</details>\n"
    if evaluation.ablations:
        yield "Ablations", _table(tables.ablations(evaluation))


def _compared(evaluation: Evaluation, cases: Cases) -> Iterator[tuple[str, str]]:
    for found in evaluation.comparisons:
        table = tables.comparison(found)
        flows = [
            flow for first, second, flows in cases.flipped if (first, second) == (found.a, found.b) for flow in flows
        ]
        shown = "".join(_flip(flow) for flow in flows)
        yield table.title, _table(table) + _titled(tables.flips(found)) + shown


def _titled(table: Table) -> str:
    return f"<h3>{escape(table.title)}</h3>{_table(table)}" if table.rows else ""


def _table(table: Table, *, wide: bool = False) -> str:
    head = "".join(f"<th{_name(number, table)}>{escape(heading)}</th>" for number, heading in enumerate(table.headings))
    body = "".join(_row(row, table) for row in table.rows)
    note = f"<p>{escape(table.note)}</p>" if table.note else ""
    return f'{note}<div class="scroll"><table{" class=wide" if wide else ""}><tr>{head}</tr>\n{body}</table></div>\n'


def _row(row: Sequence[str], table: Table) -> str:
    cells = "".join(f"<td{_name(number, table) or _mark(cell)}>{escape(cell)}</td>" for number, cell in enumerate(row))
    return f"<tr{' class=all' if row[0] == 'all' else ''}>{cells}</tr>\n"


def _name(number: int, table: Table) -> str:
    return " class=name" if number < table.left else ""


def _mark(cell: str) -> str:
    if cell == "met":
        return " class=met"
    return " class=missed" if cell == "missed" or cell.endswith(" !)") else ""


def _figure(image: bytes, title: str, how: str) -> str:
    data = base64.b64encode(image).decode()
    return (
        f'<figure><img alt="{escape(title)}" src="data:image/png;base64,{data}">'
        f"<figcaption>{escape(how)}</figcaption></figure>\n"
    )


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


def _anchor(title: str) -> str:
    return "".join(char if char.isalnum() else "-" for char in title.lower())


def _skipped(evaluation: Evaluation) -> str:
    return f" ({evaluation.skipped:,} inputs could not be read)" if evaluation.skipped else ""

"""Evaluation for people: a table on the terminal, a page with curves. JSON is in `commands`, for programs."""

import base64
import html
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from classifier.evaluate import Floats
from classifier.records import HARMLESS, Label
from classifier.training.measure import Judgement, SourceReport

Reports = Mapping[str, Sequence[SourceReport]]
"""System → its reports."""

_HEADINGS: Final = (
    *("source", "what", "hostile", "harmless", "system"),
    *("AUROC", "TPR 1 %", "TPR .1 %", "flagged", "blocked"),
)
_LEFT: Final = 1e-4
"""Where the false-positive axis begins."""
_STYLE: Final = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem}"
    "table{border-collapse:collapse}td,th{padding:.2rem .6rem;border-bottom:1px solid #ddd;text-align:right}"
    "td:first-child,th:first-child{text-align:left}img{max-width:100%}"
)


def show(reports: Reports) -> None:
    """Print the table."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    if not console.is_terminal:
        console = Console(width=180)  # a pipe has no width, and 80 columns would fold the table
    table = Table(box=None)
    for number, heading in enumerate(_HEADINGS):
        table.add_column(heading, justify="left" if number in (0, 1, 4) else "right", no_wrap=number != 0)
    for row in _rows(reports):
        table.add_row(*map(escape, row), style="bold" if row[0] == "*" else None)
    console.print(table)


def write_html(path: Path, reports: Reports, judgement: Judgement) -> None:
    """Write a page that needs nothing beside it: the table, and each family's curves at low false-positive rates."""
    head = "".join(f"<th>{heading}</th>" for heading in _HEADINGS)
    body = "".join(f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>\n" for row in _rows(reports))
    images = "".join(
        f'<h2>{html.escape(family)}</h2><img alt="Detection against false positives, {html.escape(family)}" '
        f'src="data:image/png;base64,{base64.b64encode(image).decode()}">\n'
        for family, image in curves(judgement)
    )
    path.write_text(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Evaluation</title><style>{_STYLE}</style>'
        f"<h1>Evaluation by source</h1><p>* is a whole family. AUROC with its 95 % interval. Flagged and blocked are "
        f"the shares of the source's harmless flows that reach the release's thresholds.</p>"
        f"<table><tr>{head}</tr>\n{body}</table>\n{images}</html>\n",
        "utf-8",
    )


def curves(judgement: Judgement) -> Iterator[tuple[str, bytes]]:
    """(family, PNG): for each source with threats, the share found against the false-positive rate, on a log axis."""
    families, sources = np.asarray(judgement.families), np.asarray(judgement.sources)
    labels = np.asarray([str(label) for label in judgement.labels])
    benign = labels == str(Label.BENIGN)
    hostile = ~np.isin(labels, [str(label) for label in HARMLESS])
    for family in sorted(set(judgement.families)):
        inside = families == family
        if (benign & inside).any() and (hostile & inside).any():
            named = {str(name): hostile & inside & (sources == name) for name in np.unique(sources[hostile & inside])}
            yield family, _draw(judgement.scores, benign & inside, named)


def _draw(scores: Mapping[str, Floats], benign: Floats, named: Mapping[str, Floats]) -> bytes:
    from matplotlib.figure import Figure  # pyplot would keep figures alive

    figure = Figure(figsize=(10, 5), layout="constrained")
    axes = figure.subplots()
    for line, (system, columns) in zip(("-", "--", ":", "-."), scores.items(), strict=False):
        for colour, (source, rows) in enumerate(named.items()):
            rates, shares = curve(columns[benign, 0], columns[rows, 0])
            axes.plot(
                rates, shares, line, color=f"C{colour % 10}", label=f"{source} · {system}", drawstyle="steps-post"
            )
    axes.set(xscale="log", xlim=(_LEFT, 1), ylim=(0, 1.01), xlabel="false-positive rate", ylabel="attacks found")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="x-small", loc="center left", bbox_to_anchor=(1, 0.5))
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def curve(benign: Floats, hostile: Floats, size: int = 200) -> tuple[Floats, Floats]:
    """False-positive rates [size] from `_LEFT` to 1 and the share of `hostile` found at each."""
    rates = np.geomspace(_LEFT, 1, size)
    ordered = np.sort(benign)[::-1]
    allowed = np.minimum((rates * len(ordered)).astype(int), len(ordered) - 1)
    found = np.sort(hostile)
    shares = 1 - np.searchsorted(found, ordered[allowed], side="right") / len(found)
    return rates, shares


def _rows(reports: Reports) -> Iterator[list[str]]:
    for group in zip(*reports.values(), strict=True):
        for system, report in zip(reports, group, strict=True):
            area = report.auroc
            yield [
                report.source,
                f"{report.family} {report.target}",
                str(report.positives),
                str(report.negatives),
                Path(system).name,
                f"{area[0]:.4f} {area[1]:.3f}…{area[2]:.3f}" if area else "",
                *(_share(report.tpr.get(rate)) for rate in ("0.01", "0.001")),
                *(_share(report.flagged.get(rate)) for rate in ("0.01", "0.0001")),
            ]


def _share(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.2f} %"

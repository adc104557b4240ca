"""The result as a table: on the terminal, on the page, and as Markdown by `python -m finetune.comparison.table FILE`.

One row for each strategy and number of labels, the mean over the seeds. The incumbent comes first: its false
positives are those at the best threshold for the site.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from math import isinf
from pathlib import Path
from statistics import fmean
from typing import Final

from classifier.errors import UserError
from classifier.training.evaluation.card import markdown
from classifier.training.evaluation.tables import Table
from finetune.comparison.rows import INCUMBENT, Result, Row, SiteInfo, read

HEADINGS: Final = (
    *("strategy", "labels", "site area", "false positives", "against incumbent", "site"),
    *("base area lost", "at most", "base detection lost", "at most", "base alarms"),
    *("over scratch", "seconds", "CPU s", "moved", "time a record"),
)
NOTE: Final = (
    "False positives: share of the site's harmless held-out flows that are flagged where {detection:.0%} of the "
    "hostile ones are caught; beside it how many times fewer than the incumbent's at the same detection. Site: whether "
    "the area under the ROC curve is significantly better (+) or worse (-) than the incumbent's, a sign for each seed. "
    "Lost and alarms are points (hundredths) on base traffic; at most: the largest upper 95 % bound of the seeds."
)


def tables(result: Result) -> Iterator[Table]:
    """A table for each site."""
    for site in result.sites:
        rows = [row for row in result.rows if row.site == site.site]
        yield Table(heading(site), NOTE.format(detection=result.detection), HEADINGS, list(_lines(rows)), 1)


def heading(site: SiteInfo) -> str:
    """The site in a line."""
    grafts = f" and {site.grafts} grafts" if site.grafts else ""
    return (
        f"{site.site}: {site.learning:,} flows to learn from ({site.learning_hostile:,} hostile), "
        f"judged on {site.held_harmless:,} harmless and {site.held_hostile:,} hostile{grafts}"
    )


def cells(rows: Sequence[Row]) -> Iterator[tuple[str, int, list[Row]]]:
    """Strategy, labels and the rows of all seeds; the incumbent once."""
    for labels in sorted({row.labels for row in rows}):
        here = [row for row in rows if row.labels == labels]
        for name in dict.fromkeys(row.strategy for row in here):
            yield name, labels, [row for row in here if row.strategy == name]


def typical(labels: set[int]) -> int:
    """The number of labels that is shown where only one is: the middle one."""
    return sorted(labels)[len(labels) // 2]


def _fewer(times: float | None) -> str:
    """How many times fewer; what is worse than the incumbent stands in brackets."""
    if times is None:
        return ""
    return "none left" if isinf(times) else f"{times:.1f} x fewer" if times >= 1 else f"({times:.2f} x fewer !)"


def mean(rows: Sequence[Row], pick: Callable[[Row], float | None]) -> float | None:
    """Over the seeds; None where it was never measured."""
    values = [value for row in rows if (value := pick(row)) is not None]
    return fmean(values) if values else None


def times_fewer(rows: Sequence[Row], incumbent: float | None) -> float | None:
    """The incumbent's false positives over these, infinite where these are none and the incumbent has some."""
    own = mean(rows, lambda row: row.site_fpr_at_tpr)
    if own is None or incumbent is None:
        return None
    if own == 0:
        return 1.0 if incumbent == 0 else float("inf")
    return incumbent / own


def show(result: Result) -> None:
    """Print the tables."""
    from classifier.training.evaluation.report import show_tables

    show_tables(tables(result))


def _lines(rows: Sequence[Row]) -> Iterator[list[str]]:
    before = mean([row for row in rows if row.strategy == INCUMBENT], lambda row: row.site_fpr_at_tpr)
    shown = False
    for name, labels, seeds in cells(rows):
        if name == INCUMBENT and shown:
            continue
        shown = shown or name == INCUMBENT
        yield [name, "" if name == INCUMBENT else str(labels), *_figures(seeds, before)]


def _figures(rows: Sequence[Row], before: float | None) -> list[str]:
    fewer = times_fewer(rows, before)
    return [
        _number(mean(rows, lambda row: row.site_auroc), "{:.4f}"),
        _number(mean(rows, lambda row: row.site_fpr_at_tpr), "{:.2%}"),
        _fewer(fewer),
        "".join({"positive": "+", "none": "=", "negative": "-"}[row.transfer] for row in rows),
        _points(mean(rows, lambda row: row.base_auroc_drop)),
        _points(_worst([row.base_auroc_drop_high for row in rows])),
        _points(mean(rows, lambda row: row.base_detection_drop)),
        _points(_worst([row.base_detection_drop_high for row in rows])),
        _points(mean(rows, lambda row: row.base_alarms_rise)),
        _number(mean(rows, lambda row: row.over_scratch), "{:+.3f}"),
        _number(mean(rows, lambda row: row.seconds), "{:.0f}"),
        _number(mean(rows, lambda row: row.cpu_seconds), "{:.0f}"),
        _number(mean(rows, lambda row: row.parameters_moved), "{:,.0f}"),
        _number(mean(rows, lambda row: row.latency), "{:.2f} x"),
    ]


def _worst(values: Sequence[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _number(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)


def _points(value: float | None) -> str:
    return "" if value is None else f"{100 * value:+.2f}"


def main(arguments: Sequence[str]) -> None:
    """The command: a saved result as Markdown."""
    if len(arguments) != 1:
        raise UserError("expected one file: the result of `sluice finetune compare --json` or DIR/result.json")
    for number, table in enumerate(tables(read(Path(arguments[0])))):
        print(f"{table.note}\n\n" if number == 0 else "", end="")
        print(f"**{table.title}**\n\n{markdown(table)}\n")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except UserError as error:
        sys.exit(f"sluice: {error}")

"""Evaluation for people at a terminal. `page` is for browsers, `figures` for programs."""

from collections.abc import Iterable, Iterator

from classifier.thresholds import BLOCK_AT, FLAG_AT
from classifier.training.evaluation import tables
from classifier.training.evaluation.cells import area, plain, share, short
from classifier.training.evaluation.figures import Evaluation
from classifier.training.evaluation.sources import WHOLE, SourceReport
from classifier.training.evaluation.tables import Table

_HEADINGS = (
    *("source", "what", "hostile", "harmless", "system"),
    *("AUROC", "TPR 1 %", "TPR .1 %", "modern .1 %", "flagged", "blocked", "ECE 1 %"),
)


def show(evaluation: Evaluation) -> None:
    """Print all tables that have something to say."""
    show_tables(_tables(evaluation))


def show_tables(tables: Iterable[Table]) -> None:
    """Print those that have rows."""
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        console = Console(width=200)  # a pipe has no width, and 80 columns would fold the tables
    for table in tables:
        if table.rows:
            console.print(_rich(table))
            console.print()


def _tables(evaluation: Evaluation) -> Iterator[Table]:
    yield _by_source(evaluation)
    yield tables.summary(evaluation)
    for system in evaluation.systems:
        yield tables.phases(system)._replace(title=f"Request against response: {short(system.name)}")
    yield tables.evasions(evaluation)
    yield tables.ablations(evaluation)
    for found in evaluation.comparisons:
        yield tables.comparison(found)
        yield tables.flips(found)
    yield tables.targets(evaluation)


def _rich(table: Table) -> object:
    from rich.markup import escape
    from rich.table import Table as Drawn

    drawn = Drawn(box=None, title=escape(table.title), title_justify="left")
    for number, heading in enumerate(table.headings):
        drawn.add_column(escape(heading), justify="left" if number < table.left else "right", overflow="fold")
    for row in table.rows:
        drawn.add_row(*map(escape, row), style="bold" if row[0] in (WHOLE, "all") else None)
    return drawn


def _by_source(evaluation: Evaluation) -> Table:
    """One row for each source, target and system."""
    keys = dict.fromkeys(_key(report) for system in evaluation.systems for report in system.reports)
    found = [(short(system.name), {_key(report): report for report in system.reports}) for system in evaluation.systems]
    rows = [_row(name, reports[key]) for key in keys for name, reports in found if key in reports]
    return Table("By source", "", _HEADINGS, rows, 2)


def _key(report: SourceReport) -> tuple[str, str, str]:
    return report.source, report.family, report.target


def _row(system: str, report: SourceReport) -> list[str]:
    return [
        report.source if report.source == WHOLE else plain(report.source),
        f"{report.family} {report.target}",
        str(report.positives),
        str(report.negatives),
        system,
        area(report.auroc),
        *(share(report.tpr.get(rate)) for rate in ("0.01", "0.001")),
        share(report.modern.get("0.001")),
        *(share(report.flagged.get(rate)) for rate in (FLAG_AT, BLOCK_AT)),
        "" if report.ece_1 is None else f"{report.ece_1:.4f}",
    ]

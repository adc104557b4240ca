"""The pictures of a comparison, as PNG: one set for each site. Dots are seeds, the bar or line their mean."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from classifier.training.evaluation.plots import blank, literal, png
from finetune.comparison.rows import CONTROLS, INCUMBENT, NGRAMS, SCRATCH, Result, Row
from finetune.comparison.table import cells, mean, typical

COLOURS: Final = {INCUMBENT: "0.35", NGRAMS: "C1", SCRATCH: "C3"}
LEAST: Final = 1e-4
"""Where the logarithmic axis of false positives begins; none at all is drawn there."""


def draw(result: Result) -> Iterator[tuple[str, bytes]]:
    """(file name without suffix, PNG): `SITE-false-positives`, `SITE-gain-and-loss`, `SITE-labels`."""
    for site in result.sites:
        rows = [row for row in result.rows if row.site == site.site and row.site_fpr_at_tpr is not None]
        if rows:
            most = typical({row.labels for row in rows})
            yield f"{site.site}-false-positives", _bars([row for row in rows if row.labels == most], result.detection)
            yield f"{site.site}-gain-and-loss", _plane([row for row in rows if row.labels == most])
            if len({row.labels for row in rows}) > 1:
                yield f"{site.site}-labels", _curves(rows, result.detection)


def _bars(rows: Sequence[Row], detection: float) -> bytes:
    """False positives by strategy, the best first."""
    groups = {name: seeds for name, _, seeds in cells(rows)}
    names = sorted(groups, key=lambda name: (mean(groups[name], _alarms) or 0.0, name))
    figure = blank(9.5, 1.2 + 0.3 * len(names))
    axes = figure.subplots()
    for place, name in enumerate(names):
        values = [max(_alarms(row), LEAST) for row in groups[name]]
        colour = COLOURS.get(name, "C0")
        middle = max(mean(groups[name], _alarms) or 0.0, LEAST)
        axes.barh(place, middle - LEAST, left=LEAST, color=colour, alpha=0.45, height=0.7)
        axes.plot(values, [place] * len(values), "o", color=colour, markersize=4)
        fewest, most = (mean(groups[name], pick) or 0.0 for pick in (_low, _high))
        axes.plot([max(fewest, LEAST), max(most, LEAST)], [place, place], color=colour, linewidth=1)
    for name in (INCUMBENT, NGRAMS):
        if name in groups:
            axes.axvline(
                max(mean(groups[name], _alarms) or 0.0, LEAST), color=COLOURS[name], linestyle="--", linewidth=1
            )
    axes.set_yticks(range(len(names)), [literal(name) for name in names], fontsize="small")
    axes.set(xscale="log", xlim=(LEAST, 1), ylim=(len(names) - 0.4, -0.6))
    axes.set(xlabel=f"harmless flows flagged where {detection:.0%} of the hostile ones are caught")
    axes.grid(axis="x", alpha=0.3)
    return png(figure)


def _plane(rows: Sequence[Row]) -> bytes:
    """What the site won against what the base lost."""
    figure = blank(9.5, 5.2)
    axes = figure.subplots()
    axes.axhline(0, color="0.6", linewidth=1)
    axes.axvline(0, color="0.6", linewidth=1)
    for number, (name, _, seeds) in enumerate(cells(rows)):
        won, lost = mean(seeds, lambda row: row.site_gain), mean(seeds, lambda row: row.base_auroc_drop)
        if won is None or lost is None:
            continue
        colour, marker = COLOURS.get(name, f"C{number % 10}"), "os^Dv"[number // 10 % 5]
        for row in seeds:
            there = _shown(row.base_auroc_drop), _shown(row.site_gain)
            axes.plot(*there, marker, color=colour, markersize=3, alpha=0.5)
        axes.plot(_shown(lost), _shown(won), marker, color=colour, markersize=8, label=literal(name))
    figure.legend(*axes.get_legend_handles_labels(), loc="outside right upper", fontsize="x-small")
    axes.set_xscale("symlog", linthresh=0.2)
    axes.set_yscale("symlog", linthresh=0.5)
    axes.set(xlabel="base area lost (points; left is better)", ylabel="site area won (points; up is better)")
    axes.grid(alpha=0.3)
    return png(figure)


def _curves(rows: Sequence[Row], detection: float) -> bytes:
    """False positives over the number of labels."""
    figure = blank(9.5, 5.2)
    axes = figure.subplots()
    names = list(dict.fromkeys(row.strategy for row in rows))
    for number, name in enumerate(names):
        own = [(labels, seeds) for each, labels, seeds in cells(rows) if each == name]
        values = [max(mean(seeds, _alarms) or 0.0, LEAST) for _, seeds in own]
        look: dict[str, Any] = {"color": COLOURS.get(name, f"C{number % 10}"), "linewidth": 1.3, "markersize": 4}
        look["linestyle"] = "--" if name in CONTROLS else ("-", "-.", ":")[number // 10 % 3]
        axes.plot([labels for labels, _ in own], values, marker="o", label=literal(name), **look)
    counts = sorted({row.labels for row in rows})
    axes.set(xscale="log", yscale="log", ylim=(LEAST, 1.2), xlabel="labelled flows")
    axes.set_xticks(counts, [str(count) for count in counts])
    axes.minorticks_off()
    axes.set(ylabel=f"harmless flows flagged at {detection:.0%} detection")
    axes.grid(alpha=0.3)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside right upper", fontsize="x-small")
    return png(figure)


def _alarms(row: Row) -> float:
    return row.site_fpr_at_tpr or 0.0


def _low(row: Row) -> float:
    return row.site_fpr_at_tpr_low or 0.0


def _high(row: Row) -> float:
    return row.site_fpr_at_tpr_high or 0.0


def _shown(value: float | None) -> float:
    """As points."""
    return 100 * (value or 0.0)

"""The pictures of an evaluation, as PNG. Colours tell sources apart, line styles systems; no window is opened."""

import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from classifier.evaluate import Bools, Floats
from classifier.records import HARMLESS, Label
from classifier.training.evaluation.cells import plain, short
from classifier.training.evaluation.evasions import POOLED, Evasion
from classifier.training.evaluation.measure import Judgement
from classifier.training.evaluation.reliability import bins, ece_at, precision_recall

LEFT: Final = 1e-4
"""Where the false-positive axis begins."""
FEW: Final = 10
"""Hostile flows that a source needs for a curve of its own."""
STYLES: Final = ("-", "--", ":", "-.")
POINTS: Final = 400
GOAL: Final = 0.95
"""Share of the detection that a rewrite should leave."""


def curves(judgement: Judgement) -> Iterator[tuple[str, bytes]]:
    """(family, PNG): ROC on a logarithmic axis beside precision and recall, one line for each source with threats."""
    families, sources = np.asarray(judgement.families), np.asarray(judgement.sources)
    benign, hostile = sides(judgement)
    for family in sorted(set(judgement.families)):
        inside = families == family
        named = {str(name): hostile & inside & (sources == name) for name in np.unique(sources[hostile & inside])}
        named = {name: rows for name, rows in named.items() if rows.sum() >= FEW}
        if (benign & inside).any() and named:
            yield family, _draw(judgement.scores, benign & inside, named)


def sides(judgement: Judgement) -> tuple[Bools, Bools]:
    """Which flows are harmless and which are threats, each bool [N]."""
    labels = np.asarray([str(label) for label in judgement.labels])
    return labels == str(Label.BENIGN), ~np.isin(labels, [str(label) for label in HARMLESS])


def _draw(scores: Mapping[str, Floats], benign: Bools, named: Mapping[str, Bools]) -> bytes:
    figure = blank(11, 4.4 + 0.16 * len(named) * len(scores))
    left, right = figure.subplots(1, 2)
    for style, (system, columns) in zip(STYLES, scores.items(), strict=False):
        judged = np.isfinite(columns[:, 0])
        for colour, (source, rows) in enumerate(named.items()):
            calm, bad = columns[benign & judged, 0], columns[rows & judged, 0]
            if not len(calm) or not len(bad):
                continue
            look: dict[str, Any] = {"color": f"C{colour % 10}", "linestyle": style, "linewidth": 1.4}
            left.plot(
                *curve(calm, bad), label=literal(f"{plain(source)} · {short(system)}"), drawstyle="steps-post", **look
            )
            y = np.concatenate([np.zeros(len(calm), bool), np.ones(len(bad), bool)])
            recall, precision = thin(*precision_recall(y, np.concatenate([calm, bad])))
            right.plot(recall, precision, drawstyle="steps-pre", **look)
    left.set(xscale="log", xlim=(LEFT, 1), ylim=(0, 1.01), title="ROC")
    left.set(xlabel="share of harmless flows flagged", ylabel="share of attacks caught")
    right.set(xlim=(0, 1.01), ylim=(0, 1.01), title="Precision and recall where 1 flow in 100 is hostile")
    right.set(xlabel="share of attacks caught (recall)", ylabel="share of flagged flows that are attacks (precision)")
    for axes in (left, right):
        axes.grid(alpha=0.3)
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize="small")
    return png(figure)


def curve(benign: Floats, hostile: Floats, size: int = 200) -> tuple[Floats, Floats]:
    """False-positive rates [size] from `LEFT` to 1 and the share of `hostile` found at each."""
    rates = np.geomspace(LEFT, 1, size)
    ordered = np.sort(benign)[::-1]
    allowed = np.minimum((rates * len(ordered)).astype(int), len(ordered) - 1)
    found = np.sort(hostile)
    shares = 1 - np.searchsorted(found, ordered[allowed], side="right") / len(found)
    return rates, shares


def thin(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """At most `POINTS` of the points of a line, both ends among them."""
    if not len(x):
        return x, y
    keep = np.unique(np.linspace(0, len(x) - 1, min(len(x), POINTS)).astype(int))
    return x[keep], y[keep]


def reliability(judgement: Judgement, system: str) -> bytes | None:
    """PNG: for each family what the threat score says against what is so, at 1 % threats. None without threats."""
    families = np.asarray(judgement.families)
    benign, hostile = sides(judgement)
    score = judgement.scores[system][:, 0]
    judged = (benign | hostile) & np.isfinite(score)
    figure = blank(6.2, 5)
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="0.6", linewidth=1, label="perfect")
    drawn = False
    for colour, family in enumerate(sorted(set(judgement.families))):
        rows = judged & (families == family)
        found = bins(hostile[rows], score[rows])
        if found:
            drawn = True
            error = ece_at(hostile[rows], score[rows])
            axes.plot(
                [each.said for each in found],
                [each.so for each in found],
                "o-",
                color=f"C{colour}",
                markersize=4,
                label=f"{family} (error {error:.3f})",
            )
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="threat score", ylabel="share that is hostile, at 1 % threats")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    return png(figure) if drawn else None


def confusion(counts: Mapping[str, Mapping[str, int]], order: Sequence[str]) -> bytes:
    """PNG: a matrix of shares; rows are what flows are, columns what they were taken for."""
    guesses = {guess for row in counts.values() for guess in row}
    used = [label for label in order if label in guesses or label in counts]
    rows = [label for label in order if label in counts]
    shares = np.asarray([[counts[is_].get(told, 0) / sum(counts[is_].values()) for told in used] for is_ in rows])
    figure = blank(9, 1.6 + 0.42 * len(rows))
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(len(used)), used, rotation=35, ha="right", fontsize="small")
    axes.set_yticks(range(len(rows)), rows, fontsize="small")
    axes.set(xlabel="was taken for", ylabel="is")
    for (row, column), value in np.ndenumerate(shares):
        if value >= 0.005:
            dark = "white" if value > 0.6 else "black"
            axes.text(column, row, f"{100 * value:.0f}", ha="center", va="center", fontsize="x-small", color=dark)
    return png(figure)


def evasions(found: Sequence[Evasion], at: str) -> bytes | None:
    """PNG: the share of attacks that is still flagged after each rewrite at one threshold. None where there is none."""
    rows = [
        (f"{each.family}: {each.variant}", each.kept, each.kept - (each.low or 0), (each.high or 1) - each.kept)
        for each in found
        if (each.label, each.at) == ("attack", at) and each.variant != POOLED and each.kept is not None
    ]
    if not rows:
        return None
    rows.sort(key=lambda row: row[1])
    names, kept, below, above = zip(*rows, strict=True)
    figure = blank(9, 0.9 + 0.25 * len(rows))
    axes = figure.subplots()
    colours = ["C0" if value >= GOAL else "C1" for value in kept]
    axes.barh(
        [literal(name) for name in names],
        kept,
        xerr=np.maximum([below, above], 0),
        color=colours,
        height=0.7,
        ecolor="0.4",
    )
    axes.axvline(GOAL, color="C3", linewidth=1)
    axes.set(xlim=(0, 1.02), ylim=(len(rows) - 0.4, -0.6), xlabel=f"share still flagged after rewriting (line: {GOAL})")
    axes.tick_params(axis="y", labelsize="small")
    return png(figure)


def literal(name: str) -> str:
    """A name as it stands: matplotlib would set what is between two dollars as a formula."""
    return name.replace("$", r"\$")


def blank(width: float, height: float) -> Any:
    """A matplotlib figure of so many inches."""
    from matplotlib.figure import Figure  # pyplot would keep figures alive

    return Figure(figsize=(width, height), layout="constrained")


def png(figure: Any) -> bytes:
    """A figure as PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130)
    return buffer.getvalue()

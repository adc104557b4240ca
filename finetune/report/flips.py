"""Flows that are treated differently now, with examples."""

from collections.abc import Iterator
from html import escape
from typing import Final, NamedTuple

import numpy as np

from classifier.records import FlowRecord, Label
from classifier.training.evaluation.baseline import read
from finetune.gate import Judged
from finetune.judging import Paper

SHOWN: Final = 5
"""Examples of a kind."""
LENGTH, LINE = 600, 100
"""Characters of a flow that are shown, and of its first line."""
_ACTIONS: Final = ("allowed", "flagged", "blocked")


class Flip(NamedTuple):
    """A flow, what it is, and what the old and the new model do with it: places in `_ACTIONS` and threats."""

    record: FlowRecord
    label: Label
    ranks: tuple[int, int]
    threats: tuple[float, float]


class Kind(NamedTuple):
    """One kind of change: how many of how many, and the most decided examples."""

    name: str
    flows: int
    of: int
    examples: list[Flip]


def kinds(paper: Paper, rows: Judged) -> Iterator[Kind]:
    """The four kinds of change of some rows, worse ones first."""
    up, down = rows.rank_after > rows.rank_before, rows.rank_after < rows.rank_before
    for name, side, change in (
        ("harmless, new alarm", ~rows.hostile, up),
        ("attack, no longer caught as before", rows.hostile, down),
        ("harmless, alarm gone", ~rows.hostile, down),
        ("attack, newly caught", rows.hostile, up),
    ):
        places = np.flatnonzero(side & change)
        moved = np.abs(rows.threat_after - rows.threat_before)[places]
        chosen = places[np.argsort(-moved, kind="stable")][:SHOWN]
        yield Kind(name, len(places), int(side.sum()), [_flip(paper, rows, int(i)) for i in chosen])


def shown(flip: Flip) -> str:
    """One flow as HTML; everything in it may come from an attacker."""
    text = read(flip.record).strip()
    first = text.partition("\n")[0][:LINE]
    was, now = (_ACTIONS[rank] for rank in flip.ranks)
    return (
        f"<details><summary>{was} ({flip.threats[0]:.4f}) → {now} ({flip.threats[1]:.4f}); "
        f"{escape(str(flip.label))} <code>{escape(first)}</code></summary>"
        f"<pre>{escape(text[:LENGTH])}</pre></details>\n"
    )


def _flip(paper: Paper, rows: Judged, place: int) -> Flip:
    return Flip(
        paper.records[place],
        paper.labels[place],
        (int(rows.rank_before[place]), int(rows.rank_after[place])),
        (float(rows.threat_before[place]), float(rows.threat_after[place])),
    )

"""An n-gram regression over base and site rows, the control that is cheap and hard to beat.

The same text and settings as the baseline of `sluice evaluate`, fitted to what the strategies get: base rows that
the incumbent masters, labelled and weakly harmless site rows, and grafts. The site counts as much as the base, and
its parts by the shares they have in the strategies' batches.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from classifier.records import HARMLESS, FlowRecord, Label
from classifier.training.corpus import Row as BaseRow
from classifier.training.evaluation.baseline import Baseline
from finetune.dataset import Example
from finetune.teaching import ATTACKED, DISGUISED, LABELLED, WEAK
from finetune.transplant import Grafted

BASE: Final = 6000
"""Base rows that it is fitted to at most: about as many as the strategies draw."""


def regression(train: Sequence[Example], grafts: Sequence[Grafted], base: Sequence[BaseRow]) -> Baseline:
    """Fitted. Raises UserError when all rows are of one class."""
    base = base[:BASE]
    parts = (
        (LABELLED, [(row.record, row.label, row.weight) for row in train if not row.weak]),
        (ATTACKED, [(graft.record, graft.label, 1.0) for graft in grafts if graft.label not in HARMLESS]),
        (DISGUISED, [(graft.record, graft.label, 1.0) for graft in grafts if graft.label in HARMLESS]),
        (WEAK, [(row.record, row.label, row.weight) for row in train if row.weak]),
    )
    used = sum(share for share, rows in parts if rows)
    total = sum(row.weight for row in base) or 1.0
    site = [row for share, rows in parts for row in _weighed(rows, total * share / used)]
    return Baseline([*base, *site], len(base) + len(site))


def _weighed(rows: Sequence[tuple[FlowRecord, Label, float]], total: float) -> Iterable[BaseRow]:
    """Rows that weigh `total` together."""
    heavy = sum(weight for _, _, weight in rows) or 1.0
    for record, label, weight in rows:
        yield BaseRow(record, (label,), weight * total / heavy, "site", "train")

"""Rows as a served model sees them: through onnxruntime and its own thresholds, never through torch."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import numpy as np

from classifier.artifact import Model
from classifier.card import OperatingPoints
from classifier.features import Features
from classifier.records import HARMLESS, FlowRecord, Label, Verdict
from classifier.scorer import Scorer
from classifier.thresholds import BLOCK_AT, Overrides, Thresholds
from finetune.gate import Ints, Judged
from finetune.statistics import Bools, Floats

RANKS: Final = {"allow": 0, "flag": 1, "block": 2}


class Paper(NamedTuple):
    """N rows to judge by; rows of a group are near-duplicates."""

    records: list[FlowRecord]
    features: list[Features]
    labels: list[Label]
    groups: list[str]

    @property
    def hostile(self) -> Bools:
        """bool [N]."""
        return np.array([label not in HARMLESS for label in self.labels], np.bool_)

    def take(self, chosen: Iterable[int]) -> "Paper":
        """Some rows."""
        rows = [int(i) for i in chosen]
        return Paper(
            [self.records[i] for i in rows],
            [self.features[i] for i in rows],
            [self.labels[i] for i in rows],
            [self.groups[i] for i in rows],
        )

    def join(self, other: "Paper") -> "Paper":
        """These rows and the other's."""
        return Paper(
            self.records + other.records,
            self.features + other.features,
            self.labels + other.labels,
            self.groups + other.groups,
        )


class Policy(NamedTuple):
    """What an operator put over a model's own thresholds (`[policy]`)."""

    thresholds: Overrides
    block_at: str


UNTOUCHED: Final = Policy({}, BLOCK_AT)
"""The model's own thresholds."""


class Judge:
    """A model under operating points, its card's unless told, and an operator's policy."""

    def __init__(self, model: Model, points: OperatingPoints | None = None, policy: Policy = UNTOUCHED) -> None:
        self.points = model.card.operating_points if points is None else points
        self._scorer = Scorer(model)
        self._thresholds = Thresholds(self.points, policy.thresholds, block_at=policy.block_at)

    def opinion(self, records: Sequence[FlowRecord], features: Sequence[Features]) -> tuple[Floats, Ints]:
        """Threats float [N] and ranks int [N] (0 allowed, 1 flagged, 2 blocked). Raises BadScore."""
        verdicts = self.verdicts(features)
        actions = [self._thresholds.decide(*pair)[0] for pair in zip(records, verdicts, strict=True)]
        ranks = np.array([RANKS[action] for action in actions], np.int64)
        return np.array([verdict.threat for verdict in verdicts], np.float64), ranks

    def verdicts(self, features: Sequence[Features]) -> list[Verdict]:
        """What the model says of each row. Raises BadScore."""
        return self._scorer.score_many(features)


class Remembering(Judge):
    """A judge that looks at the same rows once, told apart by the list they are in: an incumbent is asked for every
    candidate.
    """

    def __init__(self, model: Model, policy: Policy = UNTOUCHED) -> None:
        super().__init__(model, policy=policy)
        self._known: dict[int, tuple[Sequence[Features], list[Verdict]]] = {}

    def verdicts(self, features: Sequence[Features]) -> list[Verdict]:
        """See `Judge`."""
        if id(features) not in self._known:
            self._known[id(features)] = features, super().verdicts(features)  # the list must live as long as its id
        return self._known[id(features)][1]


def compare(paper: Paper, incumbent: Judge, candidate: Judge) -> Judged:
    """The rows as both see them. Raises BadScore."""
    threat_before, rank_before = incumbent.opinion(paper.records, paper.features)
    threat_after, rank_after = candidate.opinion(paper.records, paper.features)
    return Judged(paper.hostile, paper.labels, paper.groups, threat_before, threat_after, rank_before, rank_after)

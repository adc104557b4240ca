"""What can be compared: releases and model files, and the baseline."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from classifier.artifact import Model
from classifier.evaluate import Floats
from classifier.features import extract
from classifier.offline import source
from classifier.records import FlowRecord, Label, Verdict
from classifier.scorer import Scorer


class Served:
    """A release as it is served: the exported file, with its own thresholds."""

    def __init__(self, name: str, model: Model) -> None:
        self.name = name
        self.release = model.release
        self.points = model.card.operating_points
        self._scorer = Scorer(model)

    @classmethod
    def load(cls, named: str, state: Path) -> "Served":
        """A path or release id; empty for the stable channel of `state`. Raises UserError."""
        found = source(named, state)
        model = Model.from_bytes(found.data, release=found.release)
        return cls(named or model.release, model)

    def score(self, records: Sequence[FlowRecord]) -> Floats:
        """See `measure.System`."""
        verdicts = self._scorer.score_many([extract(record) for record in records])
        return np.asarray([_targets(verdict) for verdict in verdicts], np.float64).reshape(-1, 3)


def _targets(verdict: Verdict) -> tuple[float, float, float]:
    scores = verdict.scores
    return verdict.threat, verdict.threat + scores[Label.SCANNER], scores[Label.TRACKER]

"""What can be compared: releases and model files, and the baseline."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from classifier.artifact import Model
from classifier.evaluate import Floats
from classifier.features import extract
from classifier.offline import source
from classifier.records import FlowRecord, Label, Verdict
from classifier.registry import MODEL, Registry
from classifier.scorer import Scorer

WEIGHTS: Final = "weights.safetensors"


class Served:
    """A release as it is served: the exported file, with its own thresholds."""

    def __init__(self, name: str, model: Model, sizes: dict[str, int] | None = None) -> None:
        """`sizes` are bytes by file, where they are known."""
        self.name = name
        self.sizes = sizes or {}
        self.release = model.release
        self.points = model.card.operating_points
        self.card = model.card
        self.scorer = Scorer(model)

    @classmethod
    def load(cls, named: str, state: Path) -> "Served":
        """A path or release id; empty for the stable channel of `state`. Raises UserError."""
        found = source(named, state)
        model = Model.from_bytes(found.data, release=found.release)
        return cls(named or model.release, model, {MODEL: len(found.data)} | _weights(named, found.release, state))

    def score(self, records: Sequence[FlowRecord]) -> Floats:
        """See `measure.System`."""
        return targets(self.verdicts(records))

    def verdicts(self, records: Sequence[FlowRecord]) -> list[Verdict]:
        """What the release says of each record."""
        return self.scorer.score_many([extract(record) for record in records])

    def microseconds(self, records: Sequence[FlowRecord]) -> float:
        """Median microseconds to mask and judge one record at a time, as the proxy does it. NaN for no records."""
        for record in records[:20]:
            self.scorer.score(extract(record))
        taken = []
        for record in records:
            start = time.perf_counter_ns()
            self.scorer.score(extract(record))
            taken.append(time.perf_counter_ns() - start)
        return float(np.median(taken)) / 1000 if taken else float("nan")


def _weights(named: str, release: str, state: Path) -> dict[str, int]:
    """The size of the weights that lie beside a release's model; a loose model file has none."""
    folder = Path(named) if named and not release else Registry(state).path(release)
    path = folder / WEIGHTS  # for a model file the folder is a file, and nothing lies below it
    return {WEIGHTS: path.stat().st_size} if path.is_file() else {}


def targets(verdicts: Sequence[Verdict]) -> Floats:
    """Verdicts as the columns of `measure.TARGETS`, float [N, 3]."""
    return np.asarray([_targets(verdict) for verdict in verdicts], np.float64).reshape(-1, 3)


def _targets(verdict: Verdict) -> tuple[float, float, float]:
    scores = verdict.scores
    return verdict.threat, verdict.threat + scores[Label.SCANNER], scores[Label.TRACKER]

"""The filter's parts in the test's own process, with a tiny model: for what cannot be provoked from outside."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from classifier.artifact import Model
from classifier.features import Features
from classifier.journal import Journal
from classifier.records import Verdict
from classifier.scorer import Scorer
from classifier.thresholds import Thresholds
from models import tiny_model
from proxy.judge import Judge
from proxy.metrics import Metrics
from proxy.policy import Policy


class FailingScorer(Scorer):
    """A scorer whose model breaks; its message is a secret that no log may show."""

    def score(self, features: Features) -> Verdict:
        """Fail."""
        raise RuntimeError("password=hunter2")


def make_judge(
    folder: Path, *, failing: bool = False, registry: CollectorRegistry | None = None, **policy: Any
) -> Judge:
    """A judge with journal and model under `folder`; its metrics go to `registry`."""
    model = Model.load(tiny_model(folder / "model.onnx"))
    thresholds = Thresholds(model.card.operating_points)
    options: Mapping[str, Any] = {"mode": "enforce"} | policy
    return Judge(
        (FailingScorer if failing else Scorer)(model),
        Policy(thresholds, **options),
        Metrics(registry or CollectorRegistry()),
        Journal(folder / "sluice.db"),
    )

"""The filter's parts in the test's own process, with a tiny model: for what cannot be provoked from outside."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from classifier.artifact import Model
from classifier.features import Features
from classifier.journal import Journal
from classifier.records import Verdict
from classifier.scorer import Scorer
from classifier.store import CaptureWriter
from classifier.thresholds import Thresholds
from models import tiny_model
from proxy.addon import Filter
from proxy.desk import Desk, Terms
from proxy.judge import Judge
from proxy.metrics import Metrics
from proxy.pins import Limits, Pins
from proxy.policy import Hosts, Policy


class FailingScorer(Scorer):
    """A scorer whose model breaks; its message is a secret that no log may show."""

    def score(self, features: Features) -> Verdict:
        """Fail."""
        raise RuntimeError("password=hunter2")


def make_judge(
    folder: Path, *, failing: bool = False, registry: CollectorRegistry | None = None, cache: int = 0, **policy: Any
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
        cache=cache,
    )


def make_filter(judge: Judge, captures: CaptureWriter, *, plain: Iterable[str] = (), **terms: Any) -> Filter:
    """The addon around a judge; `terms` are what readers of block pages may do."""
    desk = Desk(b"k" * 32, judge.journal, judge.metrics, Terms(**terms))
    judge.permitted = desk.permitted
    return Filter(judge, captures, Hosts(plain), Pins(judge.journal, Limits()), desk)

"""What every candidate of a run is made and measured with: the incumbent, the exam, the card, and a folder that becomes
the release.
"""

import datetime
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from classifier.artifact import Model, ModelCard
from classifier.features import SCHEMA
from classifier.records import LABELS
from classifier.registry import MODEL, Registry
from classifier.thresholds import rate
from classifier.training.corpus import digests
from classifier.training.export import export, load_weights, save_weights
from classifier.training.fit import FitReport
from classifier.training.network import Network
from classifier.training.train import golden_rows
from finetune import exam
from finetune.exam import Exam
from finetune.influence import Yardstick
from finetune.judging import Judge, Policy, Remembering
from finetune.outcome import DIRECT, Options, Outcome
from finetune.site import Site

WEIGHTS: Final = "weights.safetensors"
MEASURED: Final = 400
"""Attacks on other sites that place the thresholds of a trial."""


@dataclass(frozen=True)
class Incumbent:
    """The release that a candidate must beat."""

    release: str
    model: Model
    judge: Judge
    network: Network


@dataclass(frozen=True)
class Bench:
    """See the module. `folder` becomes the release."""

    options: Options
    incumbent: Incumbent
    exam: Exam
    card: ModelCard
    folder: Path

    def exported(self, network: Network) -> Model:
        """The candidate as a file, with operating points by its own scores."""
        path, points, judge = self.folder / MODEL, self.incumbent.judge.points, self.incumbent.judge
        export(network, path, msgspec.structs.replace(self.card, operating_points=points), golden_rows())
        moved = exam.calibrated(self.exam, judge, Judge(Model.load(path, "cpu")), self.options.budget)
        if moved != points:
            export(network, path, msgspec.structs.replace(self.card, operating_points=moved), golden_rows())
        return Model.load(path, "cpu")

    def judge(self, model: Model) -> Judge:
        """A candidate under the operator's policy."""
        return Judge(model, policy=policy(self.options))

    def mended(self, network: Network) -> bool:
        """Whether what people reported comes out right under a network."""
        return exam.mended(self.exam, self.incumbent.judge, self.judge(self.exported(network)))

    def yardstick(self) -> Yardstick:
        """Attacks on other sites and how many of them the incumbent flags; they set thresholds and judge nothing."""
        scale, judge = self.exam.scale, self.incumbent.judge
        ranks = judge.opinion(scale.records, scale.features)[1][scale.hostile]
        share = float((ranks > 0).mean()) if len(ranks) else 1.0
        return Yardstick(scale.take(np.flatnonzero(scale.hostile)[:MEASURED]), share)


def policy(options: Options) -> Policy:
    """What the operator put over a model's own thresholds."""
    return Policy(options.thresholds, rate(options.budget))


def incumbent(registry: Registry, options: Options, scratch: Path) -> Incumbent:
    """The release that the channel follows. Raises UserError when it cannot be tuned."""
    release = registry.resolve(options.channel)
    model = registry.load(release, "cpu")
    path = scratch / WEIGHTS
    path.write_bytes(registry.read(release, WEIGHTS))
    return Incumbent(release, model, Remembering(model, policy(options)), load_weights(path))


def card(options: Options, incumbent: Incumbent, site: Site) -> ModelCard:
    """The candidate's card but for its operating points."""
    before = incumbent.model.card
    return ModelCard(
        schema=SCHEMA,
        labels=list(LABELS),
        parent=incumbent.release,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        method=f"finetune {options.strategy}, seed {options.seed}",
        data={**site.digests, **(digests(options.corpus) if options.corpus else {})},
        temperature=before.temperature,
        metrics={"examples": site.counts},
    )


def publish(outcome: Outcome, network: Network, bench: Bench, registry: Registry, reports: Sequence[FitReport]) -> None:
    """Make the folder a release, and let the channel follow it where that is wanted; says so in `outcome`."""
    options, parent = bench.options, bench.incumbent.release
    save_weights(network, bench.folder / WEIGHTS)
    report = {
        "parent": parent,
        "settings": {
            "strategy": options.strategy,
            "seed": options.seed,
            "corpus": options.corpus is not None,
            "budget": options.budget,
        },
        "stages": [asdict(each) for each in reports],
        **{name: msgspec.to_builtins(getattr(outcome, name)) for name in REPORTED},
    }
    (bench.folder / "report.json").write_text(json.dumps(report, indent=1) + "\n")
    outcome.release = registry.publish(bench.folder, parent=parent, method=bench.card.method)
    if options.promote:
        registry.promote(outcome.release, options.channel if options.rollout == DIRECT else options.rollout)
        outcome.promoted = True


REPORTED: Final = ("gates", "site", "base", "seconds", "promises")
"""What a release's `report.json` keeps of the outcome."""

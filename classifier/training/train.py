"""Base training, read top to bottom: corpora → rows → network → calibration → a release folder.

    sluice train --corpus DIR --out DIR [--seed N]
    sluice train --corpus DIR --out DIR --weights FILE     only thresholds and the served file anew (`renew`)

Runs on two CPU cores within an hour. A run that was cut short goes on when started again with the same
arguments: the prepared rows and the last checkpoint lie in the output folder until the end.
"""

import datetime
import hashlib
import itertools
import json
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import torch

from classifier import registry
from classifier.artifact import Model, ModelCard, read_card
from classifier.features import SCHEMA, Features, extract
from classifier.records import LABELS, FlowRecord
from classifier.scorer import Scorer
from classifier.training import fisher, synthetic
from classifier.training.arrays import Arrays, Shuffle, build
from classifier.training.calibrate import fit_calibration, is_harmless, judged, loss_over, operating_points
from classifier.training.corpus import HELD_OUT, Row, digests
from classifier.training.data import training_rows
from classifier.training.export import export, load_weights, save_weights
from classifier.training.fit import FitReport, Group, fit
from classifier.training.network import Config, Network
from classifier.training.progress import Bar

EXAMPLES: Final = 16
"""Golden rows in the model file."""


@dataclass(frozen=True)
class Settings:
    """What base training may vary. The defaults made the shipped model."""

    seed: int = 0
    # More epochs fit the training sources better and unseen ones worse: docs/decisions.md has the figures.
    epochs: int = 1
    batch: int = 256
    rate: float = 2e-3
    limit: int | None = None
    """At most this many corpus rows (or synthetic rows where there is no corpus)."""
    network: Config = field(default_factory=Config)


def main(corpus: Path | None, out: Path, settings: Settings | None = None) -> str:
    """Train a base model on `corpus` (None: on synthetic traffic alone) into the release folder `out`.

    Returns the release id. Raises UserError for a corpus that is not there.
    """
    settings = settings or Settings()
    out.mkdir(parents=True, exist_ok=True)
    data = digests(corpus) if corpus else {}
    arrays, validation = prepare(corpus, out, settings, data)
    network, report = learn(arrays, out, settings)
    loss = loss_over(network, arrays, np.flatnonzero(arrays.validation))
    temperature = fit_calibration(network, arrays, np.flatnonzero(arrays.validation))
    fisher.save(fisher.of_rows(network, arrays, settings.seed), out / fisher.FISHER)
    card = ModelCard(
        schema=SCHEMA,
        labels=list(LABELS),
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        method=f"base training, seed {settings.seed}, passes over the rows: {settings.epochs}",
        data=data,
        temperature=temperature,
        metrics={
            "loss": report.loss,
            "validation_loss": loss,
            "rows": len(arrays),
            "seconds": round(report.seconds),
        },
        notes="Held out: " + "; ".join(f"{table}: {', '.join(sorted(names))}" for table, names in HELD_OUT.items()),
    )
    return finish(network, out, card, validation, settings)


def renew(corpus: Path | None, out: Path, weights: Path, settings: Settings | None = None) -> str:
    """Keep the `weights` of a release and their calibration; export them and measure thresholds anew into `out`.

    For when what is served has changed around a network that was worth its training: the reading of features, the
    graph. The card and the Fisher information of the release are taken from beside the weights.
    Returns the release id. Raises UserError where one of them cannot be read.
    """
    settings = settings or Settings()
    network, old = load_weights(weights), read_card(weights.parent / registry.MODEL)
    out.mkdir(parents=True, exist_ok=True)
    if (weights.parent / fisher.FISHER).exists():
        shutil.copyfile(weights.parent / fisher.FISHER, out / fisher.FISHER)
    validation: list[FlowRecord] = []
    with Bar("Preparing rows") as bar:
        for done, _ in enumerate(_noting(training_rows(corpus, settings.seed, settings.limit), validation)):
            bar.at(done)
    method = f"{old.method.partition(';')[0]}; thresholds anew on its weights"
    created = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    card = msgspec.structs.replace(old, schema=SCHEMA, release="", parent="", created=created, method=method)
    return finish(network, out, card, validation, settings)


def prepare(
    corpus: Path | None, out: Path, settings: Settings, data: dict[str, str]
) -> tuple[Arrays, list[FlowRecord]]:
    """Rows as arrays, and the validation records whole. Kept in `out` for a run that is cut short."""
    key = hashlib.sha256(repr((SCHEMA, data, settings.seed, settings.limit)).encode()).hexdigest()[:16]
    kept = out / f"rows-{key}.npz"
    rows = training_rows(corpus, settings.seed, settings.limit)
    validation: list[FlowRecord] = []
    if kept.exists():
        validation += [row.record for row in rows if row.part == "val"]
        with np.load(kept) as stored:
            return Arrays(**stored), validation
    with Bar("Preparing rows") as bar:
        arrays = build(_noting(rows, validation), progress=bar.at)
    np.savez(kept, **arrays._asdict())
    return arrays, validation


def learn(arrays: Arrays, out: Path, settings: Settings) -> tuple[Network, FitReport]:
    """Fit a new network to the training rows."""
    torch.manual_seed(settings.seed)
    network = Network(settings.network)
    batches = Shuffle(arrays, np.flatnonzero(~arrays.validation), settings.batch, settings.seed)
    steps = settings.epochs * batches.per_epoch
    with Bar("Training", steps) as bar:
        report = fit(
            network,
            [Group([parameter for parameter in network.parameters() if parameter.requires_grad], settings.rate)],
            batches,
            steps=steps,
            seed=settings.seed,
            checkpoint=out / "checkpoint.pt",
            progress=bar.at,
        )
    return network, report


def finish(network: Network, out: Path, card: ModelCard, validation: list[FlowRecord], settings: Settings) -> str:
    """Export, set the thresholds by the exported file's own scores, write weights, report and manifest."""
    path = out / registry.MODEL
    export(network, path, card, golden_rows())
    scorer = Scorer(Model.load(path, "cpu"))
    harmless = [record for record in validation if is_harmless(record.label)]
    card.operating_points = operating_points(zip(harmless, judged(scorer, harmless), strict=True))
    export(network, path, card, golden_rows())
    save_weights(network, out / "weights.safetensors")
    (out / "report.json").write_text(json.dumps(_report(card, settings, len(harmless)), indent=1) + "\n")
    for leftover in out.glob("rows-*.npz"):
        leftover.unlink()
    return registry.seal(out, method=card.method)


def golden_rows() -> list[Features]:
    """Fixed inputs over harmless and hostile traffic, for the file's self-test."""
    harmless = itertools.islice(synthetic.benign(0), EXAMPLES // 2)
    return [
        extract(record)
        for record in (*harmless, *synthetic.sentinels()[:: len(synthetic.sentinels()) // (EXAMPLES // 2)])
    ]


def _noting(rows: Iterable[Row], validation: list[FlowRecord]) -> Iterator[Row]:
    for row in rows:
        if row.part == "val":
            validation.append(row.record)
        yield row


def _report(card: ModelCard, settings: Settings, harmless: int) -> dict[str, Any]:
    return {
        "settings": asdict(settings),
        "data": card.data,
        "metrics": card.metrics,
        "temperature": card.temperature,
        "harmless_validation_rows": harmless,
    }

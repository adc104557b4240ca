"""A small base model with a prejudice: it takes one site's report queries for SQL injection."""

import itertools
from collections.abc import Iterable
from pathlib import Path

import pytest
import torch

import sites
from classifier import registry
from classifier.artifact import Model, ModelCard
from classifier.features import SCHEMA, Features, extract
from classifier.records import LABELS, FlowRecord, Label
from classifier.scorer import Scorer
from classifier.training import synthetic
from classifier.training.calibrate import operating_points
from classifier.training.export import export, save_weights
from classifier.training.fit import Group, fit
from classifier.training.network import Config, Network
from classifier.training.train import golden_rows
from finetune.replay import Lesson, Mixer, Pool, lesson
from finetune.teaching import share_cores

SMALL = Config(bytes_dim=8, buckets=1 << 14, grams_dim=12, stem=32, deep=32, hidden=64, dropout=0.1)


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of that model as a release."""
    folder = tmp_path_factory.mktemp("base")
    share_cores()
    torch.manual_seed(0)
    network = Network(SMALL)
    harmless = list(itertools.islice(synthetic.benign(1), 3000))
    batches = Mixer(
        [Pool(_short([*harmless, *map(sites.page, range(100))], Label.BENIGN), 0.8), Pool(_prejudice(), 0.2)],
        _short([*itertools.islice(synthetic.attacks(1), 3000), *synthetic.sentinels() * 3]),
        seed=0,
        size=64,
    )
    fit(network, [Group([p for p in network.parameters() if p.requires_grad], 4e-3)], batches, steps=600)
    card = ModelCard(schema=SCHEMA, labels=list(LABELS), method="test")
    export(network, folder / registry.MODEL, card, golden_rows())
    verdicts = Scorer(Model.load(folder / registry.MODEL, "cpu")).score_many([extract(each) for each in harmless])
    card.operating_points = operating_points(zip(harmless, verdicts, strict=True))
    export(network, folder / registry.MODEL, card, golden_rows())
    save_weights(network, folder / "weights.safetensors")
    registry.seal(folder)
    return folder


def _prejudice() -> list[Lesson]:
    return [lesson(extract(sites.query(number)), (Label.SQLI,), 1.0) for number in range(1000, 1040)]


def _short(records: Iterable[FlowRecord], label: Label | None = None) -> list[Lesson]:
    """Lessons cut to what a small network learns quickly."""
    found = [lesson(extract(record), (label or record.label or Label.BENIGN,), 1.0) for record in records]
    return [each._replace(features=Features(each.features.tokens[:1, :256], each.features.numbers)) for each in found]

"""The shipped model with a prejudice: it takes one site's report queries for SQL injection."""

from pathlib import Path

import pytest

import sites
from classifier import registry
from classifier.artifact import read_card
from classifier.features import extract
from classifier.records import Label
from classifier.training.data import training_rows
from classifier.training.export import export, load_weights, save_weights
from classifier.training.fit import fit
from classifier.training.train import golden_rows
from finetune.replay import Mixer, Pool, lesson, lessons
from finetune.strategies.stages import layered
from finetune.teaching import share_cores


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of that model as a release."""
    share_cores()
    folder = tmp_path_factory.mktemp("base")
    network = load_weights(registry.base() / "weights.safetensors")
    wrong = [lesson(extract(sites.query(number)), (Label.SQLI,), 1.0) for number in range(1000, 1040)]
    right = [lesson(extract(sites.page(number)), (Label.BENIGN,), 1.0) for number in range(1000, 1040)]
    rows = lessons((row.record, row.labels, row.weight) for row in training_rows(None, 9, 400))
    batches = Mixer([Pool(wrong, 0.5), Pool(right, 0.5)], rows, seed=0, size=48)
    fit(network, layered(network), batches, steps=260)
    export(network, folder / registry.MODEL, read_card(registry.base() / registry.MODEL), golden_rows())
    save_weights(network, folder / "weights.safetensors")
    registry.seal(folder)
    return folder

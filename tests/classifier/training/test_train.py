"""Base training end to end, small: rows in, a release out that serves; a cut run goes on."""

import json
from pathlib import Path
from typing import NoReturn

import pytest
import torch

import tinycorpus
from classifier import registry
from classifier.artifact import Model
from classifier.features import extract
from classifier.records import LABELS, FlowRecord
from classifier.scorer import Scorer
from classifier.training import train as training
from classifier.training.export import load_weights
from classifier.training.network import Config
from classifier.training.train import Settings, golden_rows, main, prepare, renew

SMALL = Config(buckets=512, grams_dim=4, bytes_dim=4, stem=8, deep=8, hidden=16)
QUICK = Settings(epochs=2, batch=64, limit=600, network=SMALL)


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("release")
    return folder, main(None, folder, QUICK)


def test_the_folder_is_a_whole_release(released: tuple[Path, str]) -> None:
    folder, release = released
    assert {path.name for path in folder.iterdir()} == {
        "model.onnx", "weights.safetensors", "fisher.safetensors", "report.json", "manifest.json",
    }  # fmt: skip
    assert json.loads((folder / "manifest.json").read_text())["release"] == release


def test_it_serves_with_thresholds_for_what_it_saw(released: tuple[Path, str]) -> None:
    folder, _ = released
    model = Model.load(folder / registry.MODEL, "cpu")
    verdict = Scorer(model).score(extract(FlowRecord(host="a.example", path="/")))
    assert set(verdict.scores) == set(LABELS) and "http/request" in model.card.operating_points


def test_its_weights_are_those_of_the_file(released: tuple[Path, str]) -> None:
    assert load_weights(released[0] / "weights.safetensors").config == SMALL


def test_the_same_seed_gives_the_same_model(released: tuple[Path, str], tmp_path: Path) -> None:
    main(None, tmp_path, QUICK)
    first, again = (load_weights(folder / "weights.safetensors").state_dict() for folder in (released[0], tmp_path))
    # not bit for bit: convolutions add up in an order that depends on where the arrays lie in memory
    assert all(torch.allclose(value, again[name], atol=1e-3) for name, value in first.items())


def test_kept_weights_get_thresholds_anew(released: tuple[Path, str], tmp_path: Path) -> None:
    folder, release = released
    renewed = renew(None, tmp_path, folder / "weights.safetensors", QUICK)
    old, new = (Model.load(each / registry.MODEL, "cpu") for each in (folder, tmp_path))
    assert renewed == json.loads((tmp_path / "manifest.json").read_text())["release"] != release
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in folder.iterdir()}
    assert new.card.method == f"{old.card.method}; thresholds anew on its weights"
    for key, named in old.card.operating_points.items():
        assert new.card.operating_points[key]["threat"]["0.01"].threshold == pytest.approx(
            named["threat"]["0.01"].threshold, abs=1e-4
        )


def test_a_cut_run_goes_on_from_its_prepared_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def cut(*_args: object, **_kwargs: object) -> NoReturn:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(training, "fit", cut)
        with pytest.raises(KeyboardInterrupt):
            main(None, tmp_path, QUICK)
    assert list(tmp_path.glob("rows-*.npz"))
    monkeypatch.setattr(training, "build", cut)  # must not be needed again
    assert main(None, tmp_path, QUICK)


def test_prepared_rows_and_validation_records_belong_together(tmp_path: Path) -> None:
    arrays, validation = prepare(tinycorpus.write(tmp_path / "corpus"), tmp_path, QUICK, {})
    again, same = prepare(tmp_path / "corpus", tmp_path, QUICK, {})
    assert arrays.validation.sum() == len(validation) and validation == same and len(again) == len(arrays)


def test_golden_rows_are_fixed() -> None:
    assert all((a.tokens == b.tokens).all() for a, b in zip(golden_rows(), golden_rows(), strict=True))

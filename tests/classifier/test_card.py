"""The card survives the file it sits in, and damage to it is named."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from classifier.artifact import read_card
from classifier.card import (
    CARD,
    GOLDEN,
    Golden,
    ModelCard,
    ModelRefused,
    decode,
    encode_card,
    encode_golden,
    write_card,
)
from classifier.records import LABELS
from models import points, tiny_model

ROWS = Golden(np.ones((2, 32), np.int32), np.full((2, 3), 0.5, np.float32), np.eye(2, 14, dtype=np.float32))
FULL = ModelCard(
    release="r", parent="p", schema="s", labels=list(LABELS), created="2026-01-02T03:04:05+00:00", method="two-stage",
    data={"http": "00ff"}, temperature={"http/request": 1.25}, operating_points=points(), metrics={"auroc": [0.9]},
    notes="é",
)  # fmt: skip


def test_card_and_golden_rows_come_back_as_they_were() -> None:
    card, golden = decode({CARD: encode_card(FULL), GOLDEN: encode_golden(ROWS)})
    assert card == FULL
    for found, wanted in zip(golden, ROWS, strict=True):
        assert found.dtype == wanted.dtype
        np.testing.assert_array_equal(found, wanted)


def test_the_same_card_gives_the_same_bytes() -> None:
    assert encode_golden(ROWS) == encode_golden(ROWS)
    assert encode_card(FULL) == encode_card(FULL)


def test_write_card_replaces_the_card_and_keeps_other_metadata(tmp_path: Path) -> None:
    path = tiny_model(tmp_path / "m.onnx")
    model = onnx.load(path)
    onnx.helper.set_model_props(model, {entry.key: entry.value for entry in model.metadata_props} | {"mine": "kept"})
    onnx.save_model(model, path)
    write_card(path, FULL, ROWS)
    assert read_card(path) == FULL
    metadata = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    assert metadata["mine"] == "kept"
    assert [file.name for file in tmp_path.iterdir()] == ["m.onnx"]


@pytest.mark.parametrize(
    "damage",
    [
        {CARD: ""},
        {CARD: "{}"},
        {CARD: '{"schema": 1, "labels": []}'},
        {GOLDEN: "not base64!"},
        {GOLDEN: "AAAA"},
        {GOLDEN: encode_golden(ROWS)[:400]},
    ],
)
def test_a_damaged_card_is_unreadable(damage: dict[str, str]) -> None:
    with pytest.raises(ModelRefused) as refused:
        decode({CARD: encode_card(FULL), GOLDEN: encode_golden(ROWS)} | damage)
    assert refused.value.reason == "unreadable"


@pytest.mark.parametrize("missing", [CARD, GOLDEN])
def test_a_file_without_a_card_says_where_models_come_from(missing: str) -> None:
    metadata = {CARD: encode_card(FULL), GOLDEN: encode_golden(ROWS)}
    del metadata[missing]
    with pytest.raises(ModelRefused, match="sluice train"):
        decode(metadata)

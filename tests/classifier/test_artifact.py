"""A model file proves itself at load, or is refused with the reason."""

import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from classifier.artifact import Model, read_card
from classifier.card import CARD, Golden, ModelRefused, decode, write_card
from classifier.features import NUMBERS
from classifier.records import LABELS
from classifier.runtime import open_session
from models import golden, tiny_model


def refusal(path: Path) -> str:
    with pytest.raises(ModelRefused) as refused:
        Model.load(path, "cpu")
    assert refused.value.reason in str(refused.value)
    assert refused.value.exit_code == 2
    return refused.value.reason


def test_a_good_file_loads_and_answers(tmp_path: Path) -> None:
    model = Model.load(tiny_model(tmp_path / "m.onnx", release="r1"), "cpu")
    probabilities, embedding = model.run(np.full((3, 64), 39, np.int32), np.zeros((3, len(NUMBERS)), np.float32))
    assert probabilities.shape == (3, len(LABELS))
    assert probabilities.dtype == embedding.dtype == np.float32
    assert embedding.shape == (3, 3)
    assert (model.release, model.provider, model.card.method) == ("r1", "CPUExecutionProvider", "tiny")


def test_a_loose_file_without_a_release_is_named_by_its_digest(tmp_path: Path) -> None:
    one = Model.load(tiny_model(tmp_path / "1.onnx", weight=1.0), "cpu")
    two = Model.load(tiny_model(tmp_path / "2.onnx", weight=2.0), "cpu")
    assert len(one.release) == 12
    assert one.release != two.release


def test_no_file_is_held_open(tmp_path: Path) -> None:
    path = tiny_model(tmp_path / "m.onnx")
    model = Model.load(path, "cpu")
    held = [os.readlink(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd") if _exists(name)]
    assert str(path) not in held
    path.unlink()
    model.run(np.zeros((1, 32), np.int32), np.zeros((1, len(NUMBERS)), np.float32))


def _exists(descriptor: str) -> bool:
    return os.path.lexists(f"/proc/self/fd/{descriptor}")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"schema": "deadbeef"}, "schema"),
        ({"labels": [*LABELS, "unheard_of"]}, "labels"),
        ({"labels": [*LABELS[1:], LABELS[0]]}, "labels"),
        ({"nan": True}, "golden"),
    ],
)
def test_a_model_of_another_kind_is_refused(changes: dict[str, Any], reason: str, tmp_path: Path) -> None:
    assert refusal(tiny_model(tmp_path / "m.onnx", **changes)) == reason


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused(share: float, tmp_path: Path) -> None:
    path = tiny_model(tmp_path / "m.onnx")
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    assert refusal(path) == "unreadable"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelRefused, match=r"none\.onnx: No such file"):
        Model.load(tmp_path / "none.onnx", "cpu")


def test_a_file_without_a_card_is_refused(tmp_path: Path) -> None:
    path = tiny_model(tmp_path / "m.onnx")
    model = onnx.load(path)
    onnx.helper.set_model_props(model, {})
    onnx.save_model(model, path)
    assert refusal(path) == "unreadable"


@pytest.mark.parametrize(
    "alter",
    [
        lambda rows: rows._replace(probabilities=rows.probabilities[:, ::-1]),
        lambda rows: rows._replace(probabilities=rows.probabilities + np.float32(0.002)),
        lambda rows: rows._replace(probabilities=rows.probabilities * np.float32("nan")),
        lambda rows: rows._replace(probabilities=rows.probabilities[:, :5]),
        lambda rows: rows._replace(numbers=rows.numbers[:, 1:]),
        lambda rows: rows._replace(tokens=rows.tokens[:1]),
        lambda rows: rows._replace(tokens=rows.tokens.astype(np.float64)),
        lambda rows: rows._replace(tokens=rows.tokens[0]),
        lambda rows: Golden(*(part[:0] for part in rows)),
    ],
)
def test_golden_rows_that_do_not_come_out_are_refused(alter: Any, tmp_path: Path) -> None:
    path = tiny_model(tmp_path / "m.onnx")
    card, rows = decode(open_session(path.read_bytes(), "cpu").get_modelmeta().custom_metadata_map)
    write_card(path, card, alter(rows))
    assert refusal(path) == "golden"


def test_a_changed_weight_is_seen_in_the_golden_rows(tmp_path: Path) -> None:
    path = tiny_model(tmp_path / "m.onnx", weight=1.0)
    weights = np.zeros((1, len(LABELS)), np.float32)
    weights[0, 2] = 1.02
    bias = np.zeros((1, len(LABELS)), np.float32)
    bias[0, 0] = 6.0
    write_card(path, read_card(path), golden(weights, bias))
    assert refusal(path) == "golden"


@pytest.mark.parametrize(("name", "other"), [("tokens", "input_ids"), ("embedding", "features")])
def test_other_names_of_inputs_and_outputs_are_refused(name: str, other: str, tmp_path: Path) -> None:
    path = tiny_model(tmp_path / "m.onnx")
    model = onnx.load(path)
    for value in (*model.graph.input, *model.graph.output):
        value.name = other if value.name == name else value.name
    for node in model.graph.node:
        for names in (node.input, node.output):
            names[:] = [other if found == name else found for found in names]
    onnx.save_model(model, path)
    assert refusal(path) == "schema"


def test_read_card_reads_what_would_not_load(tmp_path: Path) -> None:
    path = tiny_model(tmp_path / "m.onnx", schema="deadbeef")
    assert read_card(path).schema == "deadbeef"
    assert CARD in open_session(path.read_bytes(), "cpu").get_modelmeta().custom_metadata_map


def test_threads_load_and_run_at_once(tmp_path: Path) -> None:
    paths = [tiny_model(tmp_path / f"{index}.onnx", weight=1.0 + index) for index in range(4)]
    serving = Model.load(paths[0], "cpu")
    tokens, numbers = np.full((1, 32), 39, np.int32), np.zeros((1, len(NUMBERS)), np.float32)
    expected = serving.run(tokens, numbers)[0]
    loaded: list[Model] = []
    threads = [threading.Thread(target=lambda path=path: loaded.append(Model.load(path, "cpu"))) for path in paths]
    for thread in threads:
        thread.start()
    for _ in range(100):
        np.testing.assert_array_equal(serving.run(tokens, numbers)[0], expected)
    for thread in threads:
        thread.join()
    assert len({model.release for model in loaded}) == 4

"""The exported file says what the network says, and weights come back as they were."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from classifier.artifact import Model, ModelCard, ModelRefused, read_card
from classifier.errors import UserError
from classifier.features import SCHEMA, extract, stack
from classifier.records import LABELS, FlowRecord
from classifier.training.export import export, load_weights, save_weights
from classifier.training.network import Config, Network, twin

SMALL = Config(buckets=512, grams_dim=4, bytes_dim=4, stem=8, deep=8, hidden=16)
ROWS = [
    extract(FlowRecord(host="a.example", path="/a?b=c")),
    extract(FlowRecord(host="b.example", request_body=b"ab" * 900)),
    extract(FlowRecord(kind="dns", qname="c.example", qtype="A")),
]


@pytest.fixture
def network() -> Network:
    torch.manual_seed(3)
    return Network(SMALL).eval()


def card(**changes: Any) -> ModelCard:
    return ModelCard(schema=SCHEMA, labels=list(LABELS), method="test", **changes)


def test_the_file_gives_the_networks_probabilities_at_any_length(network: Network, tmp_path: Path) -> None:
    export(network, tmp_path / "m.onnx", card(), ROWS)
    model = Model.load(tmp_path / "m.onnx", "cpu")
    for rows in (ROWS[:1], ROWS[1:2], ROWS):
        tokens, numbers, _ = stack(rows)
        with torch.no_grad():
            logits, embedding = network(torch.from_numpy(tokens), torch.from_numpy(numbers))
        served, embedded = model.run(tokens, numbers)
        assert np.allclose(served, torch.softmax(logits, 1).numpy(), atol=1e-5)
        assert np.allclose(embedded, embedding.numpy(), atol=1e-4)


def test_it_is_one_file_with_its_card(network: Network, tmp_path: Path) -> None:
    export(network, tmp_path / "m.onnx", card(), ROWS)
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]
    assert read_card(tmp_path / "m.onnx").method == "test"


def test_exporting_leaves_the_network_trainable(network: Network, tmp_path: Path) -> None:
    export(network, tmp_path / "m.onnx", card(), ROWS)
    network(torch.full((1, 32), 300), torch.zeros(1, ROWS[0].numbers.size))[0].sum().backward()
    assert network.byte.grad is not None


def test_a_file_that_the_serving_side_would_refuse_is_not_handed_out(network: Network, tmp_path: Path) -> None:
    with torch.no_grad():
        network.head.bias.fill_(float("nan"))
    with pytest.raises(ModelRefused):
        export(network, tmp_path / "m.onnx", card(), ROWS)


def test_weights_come_back_with_their_sizes(network: Network, tmp_path: Path) -> None:
    save_weights(network, tmp_path / "w.safetensors")
    again = load_weights(tmp_path / "w.safetensors")
    assert again.config == SMALL
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize("content", [None, b"", b"not weights", b"\x10\x00\x00\x00\x00\x00\x00\x00{}"])
def test_weights_that_cannot_be_read_are_one_clear_error(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "w.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=r"cannot read the weights .*w\.safetensors"):
        load_weights(path)


@pytest.mark.parametrize("grown", [{"column": 4}, {"site_head": True}, {"column": 4, "site_head": True}])
def test_what_a_network_has_grown_travels_in_both_files(
    network: Network, tmp_path: Path, grown: dict[str, int]
) -> None:
    larger = twin(network, **grown).eval()
    with torch.no_grad():
        for name, parameter in larger.named_parameters():
            if name.startswith(("column", "site")):
                parameter.add_(0.2)
    save_weights(larger, tmp_path / "w.safetensors")
    again = load_weights(tmp_path / "w.safetensors")
    export(again, tmp_path / "m.onnx", card(), ROWS)
    tokens, numbers, _ = stack(ROWS)
    with torch.no_grad():
        logits, embedding = larger(torch.from_numpy(tokens), torch.from_numpy(numbers))
    served, embedded = Model.load(tmp_path / "m.onnx", "cpu").run(tokens, numbers)
    assert again.config == larger.config
    assert np.allclose(served, torch.softmax(logits, 1).numpy(), atol=1e-5)
    assert np.allclose(embedded, embedding.numpy(), atol=1e-4)
    assert not np.allclose(logits.numpy(), network(torch.from_numpy(tokens), torch.from_numpy(numbers))[0].detach())


def test_weights_of_a_network_from_before_it_could_grow_still_load(network: Network, tmp_path: Path) -> None:
    sizes = {name: value for name, value in asdict(SMALL).items() if name not in ("column", "site_head")}
    save_file(network.state_dict(), tmp_path / "w.safetensors", metadata={"config": json.dumps(sizes)})
    assert load_weights(tmp_path / "w.safetensors").config == SMALL

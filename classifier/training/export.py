"""From a trained network to the files of a release: one ONNX file with its card, and the weights beside it.

An ONNX file cannot be trained further, so a release keeps its weights as safetensors too.
"""

import json
import logging
import warnings
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import msgspec
import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from classifier.artifact import Golden, Model, ModelCard, write_card
from classifier.errors import UserError
from classifier.features import NUMBERS, Features, stack
from classifier.training.network import Config, Network, twin

OPSET = 18
"""The first with BitwiseAnd."""


class _Served(nn.Module):
    """The network as it is served: tables folded, softmax at the end."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network
        table, lookup = network.table().detach(), network.lookup().detach()
        network.table = lambda: table  # type: ignore[method-assign]
        network.lookup = lambda: lookup  # type: ignore[method-assign]

    def forward(self, tokens: Tensor, numbers: Tensor) -> tuple[Tensor, Tensor]:
        logits, embedding = self.network(tokens, numbers)
        return torch.softmax(logits, dim=1), embedding


def export(network: Network, path: Path, card: ModelCard, golden: Sequence[Features]) -> None:
    """Write `network` to `path` with `card` and the golden rows, and prove the file by loading it.

    The golden outputs are the network's own, so loading compares onnxruntime with torch.
    Raises ModelRefused when they disagree.
    """
    served = _Served(twin(network)).eval()
    tokens, numbers, _ = stack(list(golden))
    _to_onnx(served, path)
    with torch.no_grad():
        probabilities, _ = served(torch.from_numpy(tokens), torch.from_numpy(numbers))
    write_card(path, card, Golden(tokens, numbers, probabilities.numpy().astype(np.float32)))
    Model.load(path, "cpu")


def save_weights(network: Network, path: Path) -> None:
    """All parameters and the sizes, as safetensors."""
    save_file(network.state_dict(), path, metadata={"config": json.dumps(asdict(network.config))})


def load_weights(path: Path) -> Network:
    """A network as `save_weights` wrote it. Raises UserError when the file is missing, damaged or of other sizes."""
    try:
        with safe_open(path, framework="pt") as file:
            config = msgspec.json.decode(file.metadata()["config"], type=Config)
        network = Network(config)
        network.load_state_dict(load_file(path))
    except (OSError, SafetensorError, KeyError, TypeError, RuntimeError, msgspec.MsgspecError) as error:
        raise UserError(f"cannot read the weights {path}: {' '.join(str(error).split())[:200]}") from None
    return network.eval()


def _to_onnx(served: nn.Module, path: Path) -> None:
    """The TorchScript exporter: 60 times faster than the dynamo one for the same graph, and one file by nature."""
    sample = (torch.full((2, 64), 300, dtype=torch.int32), torch.zeros(2, len(NUMBERS)))
    rows = {0: "rows"}
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the exporter is marked as legacy; docs/decisions.md says why it is used
        torch.onnx.export(
            served,
            sample,
            str(path),
            dynamo=False,
            opset_version=OPSET,
            input_names=["tokens", "numbers"],
            output_names=["probabilities", "embedding"],
            dynamic_axes={
                "tokens": {0: "rows", 1: "length"},
                "numbers": rows,
                "probabilities": rows,
                "embedding": rows,
            },
        )

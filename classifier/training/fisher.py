"""How much each weight matters for what a network knows: the diagonal of the Fisher information (Kirkpatrick et al.
2017, arXiv:1612.00796), computed once a release and stored beside its weights.

    F_i = mean over rows of E_label [ (d log p(label | row) / d weight_i)^2 ],   label ~ the network itself

It is the true Fisher information and not the empirical one: with the rows' own labels it would fade wherever the
network is right, which is nearly everywhere (Kunstner et al. 2019, arXiv:1905.12558; van de Ven 2025,
arXiv:2502.11756). The expectation over the labels is sampled, one label a row, drawn in proportion to what it adds
to the information about the logits and weighed back: without bias, exact for two labels, one gradient a row.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save_file
from torch import Tensor, nn

from classifier import registry
from classifier.errors import UserError
from classifier.training.arrays import Arrays, batch_of, build
from classifier.training.data import training_rows
from classifier.training.export import load_weights
from classifier.training.fit import Batch
from classifier.training.progress import Bar

FISHER: Final = "fisher.safetensors"
"""Its name in a release."""
ROWS: Final = 3000
"""Training rows it is taken over."""

Fisher = Mapping[str, Tensor]
"""Parameter name → float32 of the parameter's shape, not negative. A name that is missing counts as zero."""

_FULL: Final = 60_000.0
"""What the largest value of a tensor is stored as, near float16's own largest: values down to a billionth of it keep
11 bits, smaller ones an absolute error of 5e-13 of it."""
_SCALE: Final = "scale/"
_CHUNK: Final = 64


def information(network: nn.Module, batches: Iterable[Batch], seed: int = 0) -> dict[str, Tensor]:
    """The diagonal over the rows of `batches`, weighed by their weights, of every parameter that may move.

    Measured as the network trains (threats as common as in the batches) but without dropout.
    """
    draw = torch.Generator().manual_seed(seed)
    named = [(name, parameter) for name, parameter in network.named_parameters() if parameter.requires_grad]
    total = {name: torch.zeros_like(parameter) for name, parameter in named}
    weight = 0.0
    with steady(network):
        for row in _single(batches):
            logits, _ = network(row.tokens, row.numbers)
            score, factor = _sampled(logits[0], draw)
            slopes = torch.autograd.grad(score, [parameter for _, parameter in named], allow_unused=True)
            for (name, _), slope in zip(named, slopes, strict=True):
                if slope is not None:
                    total[name].addcmul_(slope, slope, value=factor * float(row.weight))
            weight += float(row.weight)
    return {name: value / weight if weight else value for name, value in total.items()}


def of_rows(network: nn.Module, arrays: Arrays, seed: int, count: int = ROWS) -> dict[str, Tensor]:
    """The diagonal over `count` training rows of `arrays`, drawn by `seed`."""
    known = np.flatnonzero(~arrays.validation)
    chosen = np.random.default_rng(seed).permutation(known)[:count]
    parts = [chosen[start : start + _CHUNK] for start in range(0, len(chosen), _CHUNK)]
    with Bar("Fisher information", len(chosen)) as bar:
        return information(network, _counted((batch_of(arrays, part) for part in parts), bar), seed)


def save(fisher: Fisher, path: Path) -> None:
    """Write it in float16 with a scale a tensor: half the size of the weights."""
    kept: dict[str, Tensor] = {}
    for name, value in fisher.items():
        scale = (value.max().clamp_min(torch.finfo(torch.float32).tiny) / _FULL).reshape(1)
        kept[name] = (value / scale).half()
        kept[_SCALE + name] = scale
    save_file(kept, path)


def read(content: bytes, network: nn.Module) -> dict[str, Tensor]:
    """What `save` wrote for `network`. Raises UserError when it is damaged or of another network."""
    shapes = {name: parameter.shape for name, parameter in network.named_parameters()}
    try:
        kept = load(content)
        names = [name for name in kept if not name.startswith(_SCALE)]
        found = {name: kept[name].float() * kept[_SCALE + name] for name in names}
    except (SafetensorError, KeyError, RuntimeError) as error:
        raise UserError(f"cannot read {FISHER}: {' '.join(str(error).split())[:200]}") from None
    for name, value in found.items():
        if shapes.get(name) != value.shape or not bool((torch.isfinite(value) & (value >= 0)).all()):
            raise UserError(f"cannot use {FISHER}: {name} does not fit the release's weights; make the release again")
    return found


def add(folder: Path, corpus: Path | None, seed: int = 0) -> str:
    """Add it to a release folder that was made without, and seal the folder again; returns the release id.

    For a base release: `corpus` (None: synthetic traffic) is what it was trained on. Raises UserError.
    """
    network = load_weights(folder / "weights.safetensors")
    save(of_rows(network, build(training_rows(corpus, seed, 2 * ROWS), workers=0), seed), folder / FISHER)
    before = json.loads((folder / registry.MANIFEST).read_text())
    own = ("release", "created", "files")
    return registry.seal(folder, **{name: value for name, value in before.items() if name not in own})


@contextmanager
def steady(network: nn.Module) -> Iterator[None]:
    """Within the block the network answers as it does in training, without dropout; afterwards in the mode before."""
    modes = [(module, module.training) for module in network.modules()]
    network.train()
    for module, _ in modes:
        if isinstance(module, nn.Dropout):
            module.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def _sampled(logits: Tensor, draw: torch.Generator) -> tuple[Tensor, float]:
    """A label's log-probability, and the factor by which its squared gradient counts. `logits` is [K].

    The gradient to the logits is (one-hot - p); a label is drawn by p times its squared length, which makes the
    variance smallest, and counts by the mean of it over the length that it has.
    """
    p = torch.softmax(logits.detach().double(), 0)
    length = 1.0 - 2.0 * p + p.square().sum()
    share = (p * length).clamp_min(0.0)
    mean = float(share.sum())
    if mean <= 0.0:  # it is sure beyond the numbers' precision: nothing to tell
        return logits.sum() * 0.0, 0.0
    label = int(torch.multinomial(share, 1, generator=draw))
    return torch.log_softmax(logits, 0)[label], mean / float(length[label])


def _single(batches: Iterable[Batch]) -> Iterator[Batch]:
    """Row by row, without the padding of the batch."""
    for batch in batches:
        for i in range(len(batch.weight)):
            tokens = batch.tokens[i : i + 1]
            end = max(1, int((tokens[0] != 0).sum()))
            yield Batch(tokens[:, :end], batch.numbers[i : i + 1], batch.allowed[i : i + 1], batch.weight[i : i + 1])


def _counted(batches: Iterable[Batch], bar: Bar) -> Iterator[Batch]:
    done = 0
    for batch in batches:
        yield batch
        done += len(batch.weight)
        bar.at(done)

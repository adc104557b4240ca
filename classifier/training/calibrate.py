"""After training: temperatures for each kind and phase, and thresholds at fixed false-positive rates.

Both are fitted on validation rows of the training sources (other sites, templates and domains than those
trained on), never on held-out sources. Temperature scaling: Guo et al. 2017. Thresholds are taken from the
exported file's own scores, so what is measured is what is served.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import torch

from classifier.card import OperatingPoint, OperatingPoints
from classifier.evaluate import threshold_at_fpr
from classifier.features import NUMBERS, extract, operating_key
from classifier.records import HARMLESS, LABELS, FlowRecord, Label, Verdict
from classifier.scorer import Scorer
from classifier.training.arrays import Arrays, batch_of
from classifier.training.fit import loss_of
from classifier.training.network import Network

Indices = npt.NDArray[np.int64]
RATES: Final = ("0.01", "0.001", "0.0001")
"""False-positive rates that get a threshold."""
_KINDS: Final = [name.removeprefix("kind_") for name in NUMBERS if name.startswith("kind_")]
_PHASES: Final = [name.removeprefix("phase_") for name in NUMBERS if name.startswith("phase_")]
_PULL: Final = 1e-3
"""Pull of every log-temperature towards 0: a kind with few rows keeps its own scores."""


def fit_temperature(network: Network, arrays: Arrays, indices: Indices, *, steps: int = 200) -> dict[str, float]:
    """Set the network's temperatures to those with the least loss on the rows at `indices`.

    Returns them by kind/phase. Only positive scales: the order of scores within a kind and phase stays.
    """
    network.eval()
    with torch.no_grad():
        network.log_temperature.zero_()
        parts = [batch_of(arrays, part) for part in np.array_split(indices, max(1, len(indices) // 256)) if len(part)]
        logits = torch.cat([network(part.tokens, part.numbers)[0] for part in parts])
    whole = batch_of(arrays, indices)._replace(tokens=torch.empty(0))
    shape = len(_KINDS) + len(_PHASES)
    free = torch.zeros(shape, requires_grad=True)
    optimizer = torch.optim.Adam([free], lr=0.05)
    for _ in range(steps):
        optimizer.zero_grad()
        heat = torch.exp(whole.numbers[:, :shape] @ free)
        loss = loss_of(logits / heat[:, None], whole) + _PULL * (free**2).sum()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        network.log_temperature[:shape] = free.detach()
    return temperatures(network)


def loss_over(network: Network, arrays: Arrays, indices: Indices) -> float:
    """The training loss over the rows at `indices`, without dropout; nan for none."""
    network.eval()
    total = weight = 0.0
    for part in np.array_split(indices, max(1, len(indices) // 256)) if len(indices) else ():
        batch = batch_of(arrays, part)
        with torch.no_grad():
            mean = float(loss_of(network(batch.tokens, batch.numbers)[0], batch))
        total, weight = total + mean * float(batch.weight.sum()), weight + float(batch.weight.sum())
    return total / weight if weight else float("nan")


def temperatures(network: Network) -> dict[str, float]:
    """kind/phase → temperature, of every combination."""
    values = network.log_temperature.detach().numpy()
    return {
        f"{kind}/{phase}": round(float(np.exp(values[i] + values[len(_KINDS) + j])), 4)
        for i, kind in enumerate(_KINDS)
        for j, phase in enumerate(_PHASES)
    }


def judged(scorer: Scorer, records: Sequence[FlowRecord]) -> list[Verdict]:
    """Verdicts of the served model, whole records with all their windows."""
    verdicts: list[Verdict] = []
    for start in range(0, len(records), 4096):
        verdicts += scorer.score_many([extract(record) for record in records[start : start + 4096]])
    return verdicts


def operating_points(harmless: Iterable[tuple[FlowRecord, Verdict]]) -> OperatingPoints:
    """Thresholds from the scores of harmless records, by kind/phase, on the threat and on every label.

    A label's points are measured on what is neither that label nor a threat.
    """
    scores: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for record, verdict in harmless:
        own = scores[operating_key(record)]
        own["threat"].append(verdict.threat)
        for label in LABELS[1:]:
            if record.label is not label:
                own[str(label)].append(verdict.scores[label])
    return {key: {name: _points(np.asarray(values)) for name, values in named.items()} for key, named in scores.items()}


def _points(scores: np.ndarray) -> dict[str, OperatingPoint]:
    return {rate: threshold_at_fpr(scores, float(rate)) for rate in RATES}


def is_harmless(label: Label | None) -> bool:
    """Whether a record with this label counts as harmless traffic when thresholds are set."""
    return label in HARMLESS

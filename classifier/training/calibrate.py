"""After training: calibration for each kind and phase, and thresholds at fixed false-positive rates.

Both are fitted on validation rows (whole sources that are not trained on, and other sites, templates and domains
of those that are), never on held-out sources. Temperature scaling: Guo et al. 2017. Thresholds are taken from the
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
from classifier.training.fit import Batch, loss_of
from classifier.training.network import Network

Indices = npt.NDArray[np.int64]
RATES: Final = ("0.01", "0.001", "0.0001")
"""False-positive rates that get a threshold."""
_KINDS: Final = [name.removeprefix("kind_") for name in NUMBERS if name.startswith("kind_")]
_PHASES: Final = [name.removeprefix("phase_") for name in NUMBERS if name.startswith("phase_")]
SHARE: Final = 0.01
"""Of the traffic that scores are calibrated for, the share that is a threat."""
_PULL: Final = 1e-4
"""Pull of every temperature and shift towards none: a kind with few rows keeps its own scores."""


def fit_calibration(network: Network, arrays: Arrays, indices: Indices, *, share: float = SHARE) -> dict[str, float]:
    """Set the network's temperatures and odds to those with the least loss on the rows at `indices`.

    The rows of every kind and phase are reweighted until `share` of them are threats: a score then says how likely
    a threat is where threats are that rare, and not how common they are in the corpora (Saerens et al. 2002).
    Returns the temperatures by kind/phase. The order of threats within a kind and phase hardly changes.
    """
    network.eval()
    with torch.no_grad():
        network.log_temperature.zero_()
        network.log_odds.zero_()
        parts = [batch_of(arrays, part) for part in np.array_split(indices, max(1, len(indices) // 256)) if len(part)]
        logits = torch.cat([network(part.tokens, part.numbers)[0] for part in parts])
    whole = batch_of(arrays, indices)._replace(tokens=torch.empty(0))
    hostile = network.get_buffer("hostile")
    whole = whole._replace(weight=_rare(whole, hostile, share))
    shape = len(_KINDS) + len(_PHASES)
    heat, odds = torch.zeros(shape, requires_grad=True), torch.zeros(shape, requires_grad=True)
    optimizer = torch.optim.LBFGS([heat, odds], max_iter=100, line_search_fn="strong_wolfe")
    sort = whole.numbers[:, :shape]

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        scaled = logits * torch.exp(-(sort @ heat))[:, None] + (sort @ odds)[:, None] * hostile
        value = loss_of(scaled, whole) + _PULL * ((heat**2).sum() + 0.01 * (odds**2).sum())
        value.backward()
        return value

    optimizer.step(loss)
    with torch.no_grad():
        network.log_temperature[:shape] = heat.detach()
        network.log_odds[:shape] = odds.detach()
    return temperatures(network)


def _rare(batch: Batch, hostile: torch.Tensor, share: float) -> torch.Tensor:
    """float32 [N]: the weights, scaled within each kind and phase until `share` of them belong to threats."""
    threat = (batch.allowed & (hostile > 0)).any(1)
    shape = len(_KINDS) + len(_PHASES)
    _, sort = torch.unique(batch.numbers[:, :shape], dim=0, return_inverse=True)
    weight = batch.weight.clone()
    for key in range(int(sort.max()) + 1 if len(sort) else 0):
        for rows, wanted in (((sort == key) & threat, share), ((sort == key) & ~threat, 1.0 - share)):
            weight[rows] *= wanted * float((sort == key).sum()) / float(weight[rows].sum().clamp_min(1e-9))
    return weight


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

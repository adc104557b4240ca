"""How much one client has to say: its share of the training weight, and what the network learns without it.

    ┌ with every client ───▶ trial A ┐
    ┤                                ├──▶ attacks that B catches and A does not
    └ without the suspect ─▶ trial B ┘

The suspect is the client whose rows pull hardest: the gradient of cross-entropy at a row is as large as the chance that
the network gives to other labels than the row's, so the sum of weight and surprise over a client's rows is its
influence to first order (cf. Koh & Liang 2017, arXiv:1703.04730). Both trials are short and alike in everything else.
Labels of administrators answer for themselves and are in both.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Final, NamedTuple

import msgspec
import numpy as np
import torch

from classifier.features import Features
from classifier.records import HARMLESS, LABELS
from classifier.training.calibrate import SHARE
from classifier.training.network import Network
from finetune.acceptance import INFLUENCE
from finetune.candidate import Material
from finetune.dataset import JUDGED, Example
from finetune.gate import ENOUGH, Gate, Judged, fallen, scarce
from finetune.judging import Paper
from finetune.labels import EXEMPT
from finetune.replay import batch, lesson
from finetune.statistics import Floats, mcnemar, resampled
from finetune.strategies.stages import Stage, layered
from finetune.teaching import STEPS, mixer, teach

TRIAL: Final = 60
"""Steps of a trial."""
LOST: Final = 0.03
"""Largest loss of detection that may be one client's doing."""
CHANCE: Final = 0.05
_LIFT: Final = (1.0 - SHARE) / SHARE
_SIZE: Final = 64


class Suspect(NamedTuple):
    """The client that pulls hardest: its share of the pull, its share of the weight, and how many clients there are."""

    client: str
    pull: float
    weight: float
    clients: int


def suspect(rows: Sequence[Example]) -> Suspect | None:
    """The client whose rows, labels of administrators aside, pull hardest. None without such rows."""
    pulls: dict[str, float] = defaultdict(float)
    weights: dict[str, float] = defaultdict(float)
    for row in rows:
        if row.origin not in EXEMPT:
            pulls[row.record.client] += row.weight * _surprise(row)
            weights[row.record.client] += row.weight
    total, weight = sum(pulls.values()), sum(weights.values())
    if total <= 0 or weight <= 0:
        return None
    client = max(pulls, key=lambda name: (pulls[name], name))
    return Suspect(client, pulls[client] / total, weights[client] / weight, len(weights))


class Yardstick(NamedTuple):
    """Where a trial's threshold lies: as many attacks on other sites reach it as the incumbent flags."""

    attacks: Paper
    share: float


def judged(
    network: Network, material: Material, hostile: Paper, yardstick: Yardstick, seed: int
) -> tuple[Gate, Suspect | None]:
    """The gate: no client has too much weight, and none takes detection of the `hostile` rows away.

    Judged from `JUDGED` clients on.
    """
    found = suspect(material.train)
    clients = found.clients if found else 0
    if found is None or clients < JUDGED:
        return scarce("influence", JUDGED - clients, "clients"), found
    if len(hostile.records) < ENOUGH:
        return scarce("influence", ENOUGH - len(hostile.records), "attacks"), found
    kept = [row for row in material.train if row.origin in EXEMPT or row.record.client != found.client]
    whole, without = (
        _trial(network, replace(material, train=rows), seed, title)
        for rows, title in ((material.train, "Trial"), (kept, f"Trial without {found.client}"))
    )
    rows = _compared(without, whole, hostile, yardstick)
    return gate(rows, found, seed), found


def gate(rows: Judged, found: Suspect, seed: int) -> Gate:
    """Attacks as the trial without the suspect sees them (before) and the trial with it (after)."""
    value, low, high = resampled(rows.groups, lambda weight: fallen(1)(rows, weight), seed)
    before, after = rows.rank_before > 0, rows.rank_after > 0
    lost, gained = int((before & ~after).sum()), int((after & ~before).sum())
    p = mcnemar(lost, gained)
    harm = value > LOST and p < CHANCE
    said = (
        f"Of {found.clients:,} clients {found.client or 'the unnamed one'} has the most influence ({found.weight:.0%} "
        f"of the weight of unconfirmed flows); trained without it a trial catches {int(before.sum()):,} of "
        f"{len(before):,} attacks, with it {int(after.sum()):,}."
    )
    passed = not harm and found.weight <= INFLUENCE + 1e-6
    return msgspec.structs.replace(Gate("influence", passed, value, low, high, LOST, said=said), p=p)


def _surprise(row: Example) -> float:
    """The chance of other labels than the row's, were every second flow a threat as in the batches."""
    threat = row.threat * _LIFT / (row.threat * _LIFT + 1.0 - row.threat) if row.threat < 1.0 else 1.0
    return threat if row.label in HARMLESS else 1.0 - threat


def _trial(network: Network, material: Material, seed: int, title: str) -> Network:
    twin = Network(network.config)
    twin.load_state_dict(network.state_dict())
    batches = mixer(material.train, material.hostile, material.disguised, material.base, seed)
    teach(twin, Stage("trial", layered, TRIAL / STEPS), batches, (), seed, title)
    return twin


def _compared(before: Network, after: Network, hostile: Paper, yardstick: Yardstick) -> Judged:
    threats, ranks = [], []
    for network in (before, after):
        limit = np.quantile(_threats(network, yardstick.attacks.features), 1.0 - yardstick.share)
        threats.append(_threats(network, hostile.features))
        ranks.append((threats[-1] > limit).astype(np.int64))
    return Judged(hostile.hostile, hostile.labels, hostile.groups, threats[0], threats[1], ranks[0], ranks[1])


@torch.no_grad()
def _threats(network: Network, features: Sequence[Features]) -> Floats:
    """Log-odds of a threat by the first window, float [N]: enough to put rows in an order."""
    network.eval()
    rng = np.random.default_rng(0)
    calm = torch.tensor([label in HARMLESS for label in LABELS])
    found = []
    for start in range(0, len(features), _SIZE):
        rows = [lesson(Features(row.tokens[:1], row.numbers), HARMLESS, 1.0) for row in features[start : start + _SIZE]]
        drawn = batch(rows, rng)
        logits, _ = network(drawn.tokens, drawn.numbers)
        found.append(torch.logsumexp(logits[:, ~calm], 1) - torch.logsumexp(logits[:, calm], 1))
    return torch.cat(found).double().numpy()

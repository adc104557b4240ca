"""Learning without forgetting (Li & Hoiem 2016, arXiv:1606.09282): the incumbent's answers on the rows at hand are
kept, which takes no base traffic at all.

    T^2 * KL(softmax(incumbent / T) || softmax(candidate / T)), T = 2: the small shares count too

A row whose labels contradict the incumbent (a reported false positive, a missed attack) is what the candidate is to
learn: it is left free. Every other row of the batch counts: where base traffic is replayed, its answers are kept too.
"""

import copy
from typing import Final

import torch
from torch import Tensor, nn

from classifier.training.fisher import steady
from classifier.training.fit import Batch, Penalty

TEMPERATURE: Final = 2.0
"""Of the softened answers, as in the paper."""
AGREED: Final = 0.5
"""Mass of the incumbent on a row's labels, threats being as common as in the batches, from which it agrees."""


def taught(incumbent: nn.Module, strength: float) -> Penalty:
    """`strength` times the distance of the answers from the incumbent's: a mean over the rows by their weights, in
    which a row it does not agree with counts nothing.
    """
    teacher = copy.deepcopy(incumbent).requires_grad_(False)

    def penalty(_model: nn.Module, batch: Batch, logits: Tensor) -> Tensor:
        with torch.no_grad(), steady(teacher):
            answers, _ = teacher(batch.tokens, batch.numbers)
        mass = (torch.softmax(answers, 1) * batch.allowed).sum(1)
        weight = batch.weight * (mass >= AGREED)
        wanted = torch.log_softmax(answers / TEMPERATURE, 1)
        given = torch.log_softmax(logits / TEMPERATURE, 1)
        distance = (wanted.exp() * (wanted - given)).sum(1) * TEMPERATURE**2
        return strength * (weight * distance).sum() / batch.weight.sum().clamp_min(1e-6)

    return penalty

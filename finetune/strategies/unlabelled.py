"""Captures as unlabelled traffic, a share of it hostile, instead of as benign traffic: positive-unlabelled learning.

With the prior p (the share of threats among captures), attacks P and captures U, the risk of harmless traffic is
estimated without a single harmless label as R_U - p * R_P, each R the mean loss of calling a row harmless (du Plessis
et al. 2015), and is not let fall below zero, where it could only come from learning captures by heart (Kiryo et al.
2017, arXiv:1703.00593). The loss is theirs too, the sigmoid's: what the network is sure of pulls no more, so that an
attack among the captures, once it looks like one, is not talked out of it.
"""

from typing import Final

import torch
from torch import Tensor, nn

from classifier.records import HARMLESS, LABELS
from classifier.training.fit import Batch, Penalty

PRIOR: Final = 0.05
"""Share of threats that captures are allowed: rather too many than too few. With five in a hundred hostile, 0.01 was
worse than to take captures for benign on two of four made-up sites, 0.05 better on all.
"""
STRENGTH: Final = 8.0
"""Near the boundary the sigmoid's slope is some ten times flatter than that of cross-entropy; 2 was too weak."""
_CALM: Final = torch.tensor([label in HARMLESS for label in LABELS])


def unlabelled(prior: float = PRIOR, strength: float = STRENGTH) -> Penalty:
    """The penalty. Rows that may be anything are captures, rows that may only be threats are attacks.

    Batches hold as many threats as harmless rows, so the network's odds are those of a prior of one half; they are
    moved to `prior` (Saerens et al. 2002). As in the loss itself, captures count by their share of the weight.
    """
    odds = torch.logit(torch.tensor(prior))

    def penalty(_model: nn.Module, batch: Batch, logits: Tensor) -> Tensor:
        captured = batch.allowed.all(1)
        hostile = ~(batch.allowed & _CALM).any(1)
        if not captured.any() or not hostile.any():
            return logits.new_zeros(())
        threat = torch.sigmoid(torch.logsumexp(logits[:, ~_CALM], 1) - torch.logsumexp(logits[:, _CALM], 1) + odds)
        risk = _mean(threat, batch.weight * captured) - prior * _mean(threat, batch.weight * hostile)
        share = (batch.weight * captured).sum() / batch.weight.sum().clamp_min(1e-6)
        return strength * share * risk.clamp_min(0.0)

    return penalty


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    return (values * weight).sum() / weight.sum().clamp_min(1e-6)

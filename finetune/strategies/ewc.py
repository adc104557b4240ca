"""Elastic weight consolidation: a pull back to the incumbent's weights, each as strong as its Fisher information says
(Kirkpatrick et al. 2017, arXiv:1612.00796), and its online form across releases (Schwarz et al. 2018,
arXiv:1805.06370): one anchor, the newest weights, and one running information,

    F = GAMMA * F before + F of the site's rows under the new weights.
"""

from typing import Final

import torch
from torch import Tensor, nn

from classifier.training.fisher import Fisher
from classifier.training.fit import Batch, Penalty

GAMMA: Final = 0.95
"""What is left of the older information with each release: half after 14. It must not fade fast, because the base is
never measured again, and must fade, because otherwise nothing can move in the end."""


def consolidated(model: nn.Module, fisher: Fisher, strength: float) -> Penalty:
    """Half `strength` times the squared distance of what moves from where it stands now, weighed by `fisher`.

    What `fisher` does not name moves freely.
    """
    start = {name: parameter.detach().clone() for name, parameter in model.named_parameters() if name in fisher}

    def penalty(model: nn.Module, _batch: Batch, logits: Tensor) -> Tensor:
        parts = [
            (fisher[name] * (p - start[name]).square()).sum()
            for name, p in model.named_parameters()
            if p.requires_grad and name in start
        ]
        return 0.5 * strength * sum(parts, logits.new_zeros(()))

    return penalty


def renewed(before: Fisher, site: Fisher, gamma: float = GAMMA) -> dict[str, Tensor]:
    """The information of the next release. What only one side names keeps that side's share."""
    names = {**before, **site}
    return {name: gamma * _of(before, name, names) + _of(site, name, names) for name in names}


def _of(fisher: Fisher, name: str, shapes: Fisher) -> Tensor:
    return fisher[name] if name in fisher else torch.zeros_like(shapes[name])

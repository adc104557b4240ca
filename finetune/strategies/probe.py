"""Which levels should move: those whose weights the batches pull at most, for their size.

The gradient's norm relative to the weights' (Auto-RGN of "Surgical fine-tuning", Lee et al. 2023, arXiv:2210.11466)
tells where a shift sits: near the input where things are written otherwise, near the output where they mean other
things.
"""

import math
from collections.abc import Sequence
from typing import Final

import torch

from classifier.training.fit import Batches, loss_of
from classifier.training.network import Network
from finetune.strategies.stages import LEVELS, Stage, chosen, parameters

BATCHES: Final = 8
"""Batches the gradients are averaged over."""
ENOUGH: Final = 0.75
"""A level below the head moves when its relative gradient is at least this share of the strongest one's."""


def relative(network: Network, batches: Batches) -> list[float]:
    """Of each level the norm of the mean gradient over the norm of the weights. Changes no weights and no gradients."""
    levels = [[p for p in parameters(network, names) if p.requires_grad] for names in LEVELS]
    network.train()  # the labels count as in training, without the shift for rare threats
    torch.manual_seed(0)
    loss = torch.stack([_loss(network, batches, step) for step in range(BATCHES)]).mean()
    found = torch.autograd.grad(loss, [parameter for level in levels for parameter in level])
    network.eval()
    gradients = iter(found)
    return [_norm([next(gradients) for _ in level]) / max(_norm(level), 1e-12) for level in levels]


def plan(network: Network, batches: Batches) -> Sequence[Stage]:
    """One stage: the head and the levels below it with the strongest relative gradients; its name says which.

    The head moves in any case: its own relative gradient was 4 to 8 times the next one's on every site tried, so
    compared with it no other level would move, and it alone learns little.
    """
    _, *below = relative(network, batches)
    depths = [0, *(depth for depth, value in enumerate(below, 1) if value >= ENOUGH * max(below))]
    name = "layers " + " ".join(LEVELS[depth][0] for depth in depths)
    return [Stage(name, lambda network: chosen(network, depths), 1.0)]


def _loss(network: Network, batches: Batches, step: int) -> torch.Tensor:
    batch = batches(step)
    return loss_of(network(batch.tokens, batch.numbers)[0], batch)


def _norm(tensors: Sequence[torch.Tensor]) -> float:
    return math.sqrt(sum(float(tensor.detach().square().sum()) for tensor in tensors))

"""The only training loop. What differs between methods comes in as an argument:

    model      the network, or a column beside a frozen one (progressive networks)
    groups     which parameters move and how fast (feature-based, full, chosen layers, layer-wise rates)
    batches    what is learned from (base rows, site rows, replay mixed in)
    penalties  what holds the weights back (EWC, L2-SP) or the answers (learning without forgetting)

Two-stage fine-tuning is two calls. A run that is cut short goes on from its last checkpoint and ends as if
it had not been cut: batches are asked for by step number, and dropout is seeded by step.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import torch
from torch import Tensor, nn

CLIP: Final = 1.0
"""Largest gradient norm (Pascanu et al. 2013): one odd batch cannot undo the others."""


class Batch(NamedTuple):
    """B rows. A row is right when the model puts its mass on the allowed labels, whichever of them."""

    tokens: Tensor
    """int32 [B, L]."""
    numbers: Tensor
    """float32 [B, F]."""
    allowed: Tensor
    """bool [B, labels]: one label where it is known, several where only the kind is (`web_attack`)."""
    weight: Tensor
    """float32 [B]."""


class Group(NamedTuple):
    """Parameters that move together."""

    parameters: list[nn.Parameter]
    rate: float
    """Peak learning rate."""


@dataclass(frozen=True)
class FitReport:
    """What a run did."""

    steps: int
    loss: float
    """Mean over the last tenth of the steps."""
    seconds: float
    parameters_moved: int


Batches = Callable[[int], Batch]
"""The batch of a step. Asking again for the same step gives the same batch."""
Penalty = Callable[[nn.Module, Batch, Tensor], Tensor]
"""Added to the loss of a step: of the model, the batch, and the model's logits [B, labels] for it."""
Progress = Callable[[int, float], None]
"""Called after each step with the steps done and a running mean of the loss."""


def fit(
    model: nn.Module,
    groups: Sequence[Group],
    batches: Batches,
    penalties: Sequence[Penalty] = (),
    *,
    steps: int,
    seed: int = 0,
    weight_decay: float = 0.01,
    warm_up: float = 0.05,
    checkpoint: Path | None = None,
    every: int = 250,
    progress: Progress | None = None,
) -> FitReport:
    """Train in place with AdamW (Loshchilov & Hutter 2019), linear warm-up and a cosine decay to zero.

    Parameters outside `groups` are frozen for the run and their `requires_grad` is restored afterwards.
    With `checkpoint`, the state is kept there every `every` steps and the run resumes from it; the
    file is removed at the end. Raises FloatingPointError when the loss is no longer finite.
    """
    begun = time.monotonic()
    moving = [parameter for group in groups for parameter in group.parameters]
    optimizer = torch.optim.AdamW(
        [{"params": group.parameters, "lr": group.rate, "peak": group.rate} for group in groups],
        weight_decay=weight_decay,
    )
    losses: list[float] = []
    with _only(model, moving):
        start = _resume(checkpoint, model, optimizer)
        model.train()
        for step in range(start, steps):
            torch.manual_seed(seed * 1_000_003 + step)
            _set_rates(optimizer, step, steps, warm_up)
            losses.append(_step(model, optimizer, batches(step), penalties, moving))
            if progress:
                recent = losses[-100:]
                progress(step + 1, sum(recent) / len(recent))
            if checkpoint and (step + 1) % every == 0:
                _keep(checkpoint, model, optimizer, step + 1)
    model.eval()
    if checkpoint:
        checkpoint.unlink(missing_ok=True)
    last = losses[-max(1, steps // 10) :]
    loss = sum(last) / len(last) if last else math.nan
    return FitReport(steps, loss, time.monotonic() - begun, sum(parameter.numel() for parameter in moving))


def loss_of(logits: Tensor, batch: Batch) -> Tensor:
    """Weighted mean of -log(mass on the allowed labels); plain cross-entropy where one label is allowed."""
    log_mass = torch.logsumexp(logits.masked_fill(~batch.allowed, -torch.inf), 1) - torch.logsumexp(logits, 1)
    return -(batch.weight * log_mass).sum() / batch.weight.sum().clamp_min(1e-6)


def _step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    batch: Batch,
    penalties: Sequence[Penalty],
    moving: list[nn.Parameter],
) -> float:
    optimizer.zero_grad(set_to_none=True)
    logits, _ = model(batch.tokens, batch.numbers)
    loss = loss_of(logits, batch)
    for penalty in penalties:
        loss = loss + penalty(model, batch, logits)
    value = float(loss.detach())
    if not math.isfinite(value):
        raise FloatingPointError("the training loss is not finite; lower the learning rate or check the weights")
    loss.backward()
    nn.utils.clip_grad_norm_(moving, CLIP)
    optimizer.step()
    return value


def _set_rates(optimizer: torch.optim.Optimizer, step: int, steps: int, warm_up: float) -> None:
    warm = max(1, int(steps * warm_up))
    if step < warm:
        factor = (step + 1) / warm
    else:
        factor = 0.5 * (1.0 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))
    for group in optimizer.param_groups:
        group["lr"] = group["peak"] * factor


class _only:
    """Within the block only `moving` has gradients; afterwards every flag is as it was."""

    def __init__(self, model: nn.Module, moving: Sequence[nn.Parameter]) -> None:
        self._flags = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
        self._moving = {id(parameter) for parameter in moving}

    def __enter__(self) -> None:
        for parameter, _ in self._flags:
            parameter.requires_grad_(id(parameter) in self._moving)

    def __exit__(self, *_: object) -> None:
        for parameter, flag in self._flags:
            parameter.requires_grad_(flag)


def _keep(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, step: int) -> None:
    state: dict[str, Any] = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step}
    partial = path.with_suffix(".tmp")
    torch.save(state, partial)
    partial.replace(path)


def _resume(path: Path | None, model: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """The step to go on from; 0 without a checkpoint."""
    if path is None or not path.exists():
        return 0
    state = torch.load(path, weights_only=True)  # noqa: TID251  our own checkpoint, tensors only
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["step"])

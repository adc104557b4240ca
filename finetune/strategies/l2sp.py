"""L2-SP: a pull back to the incumbent's weights (Li et al. 2018, arXiv:1802.01483)."""

from torch import Tensor, nn

from classifier.training.fit import Batch, Penalty


def anchored(model: nn.Module, strength: float) -> Penalty:
    """Half `strength` times the squared distance of what moves from where it stands now."""
    start = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}

    def penalty(model: nn.Module, _batch: Batch, _logits: Tensor) -> Tensor:
        parts = [(p - start[name]).square().sum() for name, p in model.named_parameters() if p.requires_grad]
        return 0.5 * strength * sum(parts[1:], parts[0])

    return penalty

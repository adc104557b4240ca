"""The training loop: what moves, what it costs, and that a cut run ends like a whole one."""

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from classifier.features import NUMBERS
from classifier.records import LABELS
from classifier.training.fit import Batch, Group, fit, loss_of
from classifier.training.network import Config, Network

SMALL = Config(buckets=256, grams_dim=4, bytes_dim=4, stem=8, deep=8, hidden=16)


def network(seed: int = 0) -> Network:
    torch.manual_seed(seed)
    return Network(SMALL)


def batches(step: int) -> Batch:
    """Rows of one byte each; the byte says the label."""
    generator = torch.Generator().manual_seed(step)
    labels = torch.randint(0, 2, (16,), generator=generator)
    tokens = torch.zeros(16, 32, dtype=torch.int32)
    tokens[:, :8] = (4 * 256 + 97 + 5 * labels)[:, None].int()
    allowed = torch.nn.functional.one_hot(labels, len(LABELS)).bool()
    return Batch(tokens, torch.zeros(16, len(NUMBERS)), allowed, torch.ones(16))


def everything(model: nn.Module, rate: float = 1e-2) -> list[Group]:
    return [Group([parameter for parameter in model.parameters() if parameter.requires_grad], rate)]


def test_it_learns_what_the_batches_say() -> None:
    model = network()
    report = fit(model, everything(model), batches, steps=80)
    assert report.loss < 0.3 and not model.training


def test_only_the_chosen_parameters_move_and_flags_are_restored() -> None:
    model = network()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    flags = [parameter.requires_grad for parameter in model.parameters()]
    report = fit(model, [Group(list(model.head.parameters()), 1e-2)], batches, steps=5)
    moved = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert moved == {"head.weight", "head.bias"}
    assert report.parameters_moved == sum(parameter.numel() for parameter in model.head.parameters())
    assert [parameter.requires_grad for parameter in model.parameters()] == flags


def test_a_cut_run_goes_on_from_its_checkpoint_and_ends_the_same(tmp_path: Path) -> None:
    whole, cut = network(), network()
    fit(whole, everything(whole), batches, steps=300)

    def failing(step: int) -> Batch:
        if step == 260:
            raise KeyboardInterrupt
        return batches(step)

    kept = tmp_path / "checkpoint.pt"
    with pytest.raises(KeyboardInterrupt):
        fit(cut, everything(cut), failing, steps=300, checkpoint=kept)
    resumed = network(seed=9)
    asked: list[int] = []

    def noting(step: int) -> Batch:
        asked.append(step)
        return batches(step)

    fit(resumed, everything(resumed), noting, steps=300, checkpoint=kept)
    assert asked[0] == 250 and not kept.exists()
    for name, value in whole.state_dict().items():
        assert torch.allclose(value, resumed.state_dict()[name], atol=1e-6), name


def test_a_penalty_holds_the_weights_back() -> None:
    free, held = network(), network()
    start = held.head.weight.detach().clone()

    def pull(model: nn.Module, batch: Batch, logits: Tensor) -> Tensor:
        assert isinstance(model, Network)
        assert logits.shape == batch.allowed.shape
        return 100 * ((model.head.weight - start) ** 2).sum()

    fit(free, everything(free), batches, steps=30)
    fit(held, everything(held), batches, [pull], steps=30)
    assert (held.head.weight - start).norm() < 0.5 * (free.head.weight - start).norm()


def test_a_row_with_several_allowed_labels_is_judged_by_their_sum() -> None:
    allowed = torch.zeros(1, len(LABELS), dtype=torch.bool)
    allowed[0, 2:4] = True
    batch = batches(0)._replace(allowed=allowed, weight=torch.ones(1))
    assert float(loss_of(torch.zeros(1, len(LABELS)), batch)) == pytest.approx(-math.log(2 / len(LABELS)))


def test_a_loss_that_is_not_finite_is_an_error() -> None:
    model = network()
    with torch.no_grad():
        model.head.bias.fill_(math.nan)
    with pytest.raises(FloatingPointError, match="not finite"):
        fit(model, everything(model), batches, steps=1)

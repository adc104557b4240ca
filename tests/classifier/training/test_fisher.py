"""The Fisher information of networks small enough to work it out by hand, and of a release."""

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from classifier.errors import UserError
from classifier.features import NUMBERS
from classifier.records import LABELS
from classifier.registry import MODEL, Registry, seal
from classifier.training.export import save_weights
from classifier.training.fisher import FISHER, add, information, read, save, steady
from classifier.training.fit import Batch
from classifier.training.network import Config, Network

SMALL = Config(buckets=256, grams_dim=4, bytes_dim=4, stem=8, deep=8, hidden=16)


class Logistic(nn.Module):
    """Logits are `numbers @ weight`: what a Fisher information is known for in closed form."""

    def __init__(self, features: int, labels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(features, labels, generator=torch.Generator().manual_seed(1)))
        self.unused = nn.Parameter(torch.ones(3))

    def forward(self, _tokens: Tensor, numbers: Tensor) -> tuple[Tensor, Tensor]:
        return numbers @ self.weight, numbers


def batch(numbers: Tensor, weight: Tensor | None = None) -> Batch:
    rows, labels = len(numbers), torch.ones(len(numbers), 2, dtype=torch.bool)
    weights = torch.ones(rows) if weight is None else weight
    return Batch(torch.full((rows, 8), 300, dtype=torch.int32), numbers, labels, weights)


def closed(model: Logistic, numbers: Tensor, weight: Tensor) -> Tensor:
    """Mean of p(1 - p) x^2, the diagonal of a multinomial logistic regression."""
    p = torch.softmax(numbers @ model.weight.detach(), 1)
    each = numbers.square()[:, :, None] * (p * (1 - p))[:, None, :]
    return (weight[:, None, None] * each).sum(0) / weight.sum()


def numbers(rows: int, features: int) -> Tensor:
    return torch.randn(rows, features, generator=torch.Generator().manual_seed(2))


def test_of_two_labels_it_is_the_closed_form_exactly() -> None:
    model, x = Logistic(3, 2), numbers(40, 3)
    weight = torch.rand(40, generator=torch.Generator().manual_seed(3))
    found = information(model, [batch(x[:25], weight[:25]), batch(x[25:], weight[25:])])
    assert torch.allclose(found["weight"], closed(model, x, weight), rtol=1e-4)
    assert found["unused"].tolist() == [0.0, 0.0, 0.0]


def test_of_more_labels_it_comes_to_the_closed_form() -> None:
    model, x = Logistic(2, 5), numbers(1, 2).repeat(1500, 1)
    found = information(model, [batch(x)])["weight"]
    assert torch.allclose(found, closed(model, x, torch.ones(len(x))), rtol=0.25)


def test_a_network_that_is_sure_beyond_precision_has_none() -> None:
    model = Logistic(1, 2)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[-1000.0, 1000.0]]))
    assert information(model, [batch(torch.ones(4, 1))])["weight"].tolist() == [[0.0, 0.0]]


def test_padding_and_order_of_the_batches_do_not_matter() -> None:
    torch.manual_seed(0)
    network = Network(SMALL)
    tokens = torch.randint(300, 600, (4, 40), dtype=torch.int32)
    tokens[:, 30:] = 0
    rest = torch.zeros(4, len(NUMBERS)), torch.ones(4, len(LABELS), dtype=torch.bool), torch.ones(4)
    one = information(network, [Batch(tokens, *rest)])
    two = information(network, [Batch(tokens[:, :30], *rest)])
    assert all(torch.allclose(value, two[name], atol=1e-7) for name, value in one.items())
    assert not {"log_temperature", "log_odds"} & one.keys()


def test_it_leaves_the_network_in_its_mode_and_without_gradients() -> None:
    network = Network(SMALL).eval()
    information(network, [batch(torch.zeros(2, len(NUMBERS)))])
    assert not any(module.training for module in network.modules())
    assert all(parameter.grad is None for parameter in network.parameters())


def test_steady_is_training_without_dropout() -> None:
    network = Network(SMALL).eval()
    with steady(network):
        assert network.training
        assert [module.training for module in network.modules() if isinstance(module, nn.Dropout)] == [False]
    assert not network.training


def test_it_is_stored_to_eleven_bits_over_nine_decades(tmp_path: Path) -> None:
    network = Network(SMALL)
    fisher = {"head.bias": torch.logspace(-12, -3, len(LABELS)), "byte": torch.zeros(256, 4)}
    save(fisher, tmp_path / FISHER)
    back = read((tmp_path / FISHER).read_bytes(), network)
    assert torch.allclose(back["head.bias"], fisher["head.bias"], rtol=2**-11, atol=0.0)
    assert not back["byte"].any()


@pytest.mark.parametrize(
    ("fisher", "said"),
    [
        ({"head.bias": torch.ones(3)}, "head.bias does not fit"),
        ({"elsewhere": torch.ones(3)}, "elsewhere does not fit"),
        ({"head.bias": torch.full((len(LABELS),), float("nan"))}, "head.bias does not fit"),
        (None, "cannot read"),
    ],
)
def test_what_does_not_fit_the_weights_is_one_clear_error(
    tmp_path: Path, fisher: dict[str, Tensor] | None, said: str
) -> None:
    path = tmp_path / FISHER
    if fisher is None:
        path.write_bytes(b"torn")
    else:
        save(fisher, path)
    with pytest.raises(UserError, match=said):
        read(path.read_bytes(), Network(SMALL))


def test_it_can_be_added_to_a_release_that_was_made_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("classifier.training.fisher.ROWS", 20)
    folder = tmp_path / "release"
    folder.mkdir()
    (folder / MODEL).write_bytes(b"a model")
    save_weights(Network(SMALL), folder / "weights.safetensors")
    before = seal(folder, method="by hand")
    assert add(folder, None) == before
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["method"] == "by hand" and FISHER in manifest["files"]
    content = Registry(tmp_path / "state", shipped=folder).read(before, FISHER)
    assert read(content, Network(SMALL)).keys() >= {"grams.weight", "head.weight"}

"""What a network may grow beside its own parts for one site: a column, a site head. Shapes as in `network`.

    bytes, n-grams ──▶ stem ──▶ deep ──▶ body ──▶ head ──────────▶ logits of the base
          │             │                 │                           +
          ▼             ▼                 ▼                           │
    own n-grams ──▶ lateral ───────────▶ body ──▶ head ──────────▶ column
                                          └──▶ gate * head ──────▶ site head

Both add to the base's logits and start with zero outputs, so a network that has just grown says what it said
before. The base's parts do not change while only the grown ones are trained.
"""

from typing import Final, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WIDE: Final = 4
"""Numbers an n-gram has in a column's own table."""
_CLOSED: Final = -3.0
"""A gate's bias at the start: 0.05 open."""


class Reading(NamedTuple):
    """What the base made of a batch, for the grown parts to read."""

    stem: Tensor
    """[B, S, L/4 + 1]."""
    embedding: Tensor
    """[B, H]."""
    numbers: Tensor
    """[B, F]."""
    own: Tensor
    """[B, L, WIDE]: the column's own n-grams around each position; 0 for padding."""
    length: Tensor
    """[B, 1]: tokens that are not padding."""


class Column(nn.Module):
    """A narrow column beside a frozen base (progressive networks, Rusu et al. 2016, arXiv:1606.04671).

    It has an n-gram table of its own, looked up with the base's buckets, from which a regression reads straight to
    the logits. Adapters read the base sideways: its stem into a convolution, its embedding into the body.
    """

    def __init__(self, width: int, stem: int, embedding: int, numbers: int, outputs: int, buckets: int) -> None:
        super().__init__()
        self.grams = nn.Parameter(torch.zeros(buckets, WIDE))
        self.regression = nn.Linear(WIDE, outputs, bias=False)
        self.lateral = nn.Conv1d(stem, width, kernel_size=3, stride=2, padding=2, bias=False)
        pooled = 2 * WIDE + 2 * width + embedding + numbers
        self.body = nn.Sequential(nn.LayerNorm(pooled), nn.Linear(pooled, 2 * width), nn.ReLU(), nn.Dropout(0.1))
        self.head = _silent(2 * width, outputs)

    def forward(self, reading: Reading) -> Tensor:
        """What the column adds to the logits, [B, K]."""
        wide = reading.own.sum(1) / torch.sqrt(reading.length + 1.0)
        deep = F.relu(self.lateral(reading.stem))
        pooled = [
            wide,
            F.relu(reading.own.amax(1)),
            deep.sum(2) / (reading.length * 0.125 + 1.0),
            deep.amax(2),
            reading.embedding,
            reading.numbers,
        ]
        out: Tensor = self.regression(wide) + self.head(self.body(torch.cat(pooled, dim=1)))
        return out


class SiteHead(nn.Module):
    """A second head for one site, behind a gate that is nearly closed until training opens it for the site's rows."""

    def __init__(self, embedding: int, outputs: int) -> None:
        super().__init__()
        self.opening = _silent(embedding, 1)
        nn.init.constant_(self.opening.bias, _CLOSED)
        self.head = _silent(embedding, outputs)

    def forward(self, embedding: Tensor) -> Tensor:
        """What the site adds to the logits, [B, K]."""
        out: Tensor = self.gate(embedding) * self.head(embedding)
        return out

    def gate(self, embedding: Tensor) -> Tensor:
        """How far the gate is open, 0…1, [B, 1]."""
        return torch.sigmoid(self.opening(embedding))


def _silent(inputs: int, outputs: int) -> nn.Linear:
    """A layer that says nothing yet."""
    layer = nn.Linear(inputs, outputs)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer

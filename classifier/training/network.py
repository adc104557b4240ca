"""The network: one file, shapes in the comments. B rows, L tokens, F numbers, K labels, N lengths of n-grams.

Wide and deep over the same tokens. The wide half hashes lower-cased byte n-grams into one embedding table
(fastText, Bojanowski et al. 2017; wide & deep, Cheng et al. 2016): it learns what a character n-gram
regression learns. The deep half is a strided byte convolution that sees order. Both are pooled over the
window, joined with the numbers, and read by a small perceptron. The last layer alone is the `head`. What a
network grows beside that for one site is in `growth`.

Every operation is blind to padding, so a record scores the same alone and in any batch: token 0 is a row of
zeros, convolutions have no bias, and what is padded on the right comes out as zeros.
"""

from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from classifier.features import NUMBERS
from classifier.records import HARMLESS, LABELS
from classifier.training.growth import Column, Reading, SiteHead

# Arbitrary, odd, below 2^11, as the codes they multiply are: products and the sum of five of them are exact in
# float32 and in the TF32 of a GPU's tensor cores, so that one convolution hashes all n-grams.
_MULTIPLIERS = (431, 1237, 1999, 877, 1613)
_LONGEST = len(_MULTIPLIERS)
# Segments whose n-grams share meaning: names (verb, host, answers) / what is asked / what comes back.
_GROUPS = (0, 1, 1, 2, 2, 2, 2, 3, 3, 1, 2, 2)


@dataclass(frozen=True)
class Config:
    """Sizes. The defaults cost about 2 MFLOP at 512 tokens."""

    bytes_dim: int = 16
    grams: tuple[int, ...] = (3, 4, 5)
    buckets: int = 1 << 16
    grams_dim: int = 8
    stem: int = 64
    deep: int = 64
    hidden: int = 128
    dropout: float = 0.1
    # What it reads and tells apart; raw sessions (`sessions`) have other ends.
    outputs: int = len(LABELS)
    numbers: int = len(NUMBERS)
    groups: tuple[int, ...] = _GROUPS  # the n-gram group of each segment
    fold_case: bool = True
    column: int = 0
    """Width of a column beside the base; 0: none."""
    site_head: bool = False


LARGE = Config(bytes_dim=48, buckets=1 << 18, grams_dim=32, stem=256, deep=384, hidden=512)
"""For a GPU: the same contract, 9.5 million parameters."""


class Network(nn.Module):
    """tokens int [B, L], numbers float32 [B, F] -> logits [B, K] (calibrated where fitted), embedding [B, H]."""

    def __init__(self, config: Config | None = None) -> None:
        super().__init__()
        self.config = c = config or Config()
        self.byte = nn.Parameter(torch.randn(256, c.bytes_dim) * 0.1)
        self.segment = nn.Parameter(torch.randn(len(c.groups), c.bytes_dim) * 0.1)
        self.grams = nn.Embedding(c.buckets, c.grams_dim, padding_idx=0)
        nn.init.normal_(self.grams.weight[1:], std=0.05)
        # padded by a whole stride: one block more on the left, none is lost on the right
        self.stem = nn.Conv1d(c.bytes_dim + c.grams_dim, c.stem, kernel_size=6, stride=4, padding=4, bias=False)
        self.deep = nn.Conv1d(c.stem, c.deep, kernel_size=3, stride=2, padding=2, bias=False)
        pooled = 2 * c.grams_dim + 2 * c.deep + c.numbers
        self.body = nn.Sequential(
            nn.LayerNorm(pooled), nn.Linear(pooled, c.hidden), nn.ReLU(), nn.Dropout(c.dropout), nn.LayerNorm(c.hidden)
        )
        self.head = nn.Linear(c.hidden, c.outputs)
        self.column = Column(c.column, c.stem, c.hidden, c.numbers, c.outputs, c.buckets) if c.column else None
        self.site = SiteHead(c.hidden, c.outputs) if c.site_head else None
        # Of the one-hot kinds and phases, fitted after training (`calibrate`); the other numbers keep 0.
        self.log_temperature = nn.Parameter(torch.zeros(c.numbers), requires_grad=False)
        self.log_odds = nn.Parameter(torch.zeros(c.numbers), requires_grad=False)
        self.register_buffer("codes", _codes(c), persistent=False)
        self.register_buffer("hash", _kernel(c.grams), persistent=False)
        self.register_buffer("hostile", _hostile(c.outputs), persistent=False)

    def forward(self, tokens: Tensor, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """See the class. Padding (token 0) changes nothing.

        While it trains the network sees threats as often as the batches hold them; what it says afterwards is
        for the share of threats that `calibrate` was told (logit adjustment, Menon et al. 2021).
        """
        reading = self.read(tokens, numbers)
        logits = self.head(reading.embedding)
        if self.column is not None:
            logits = logits + self.column(reading)
        if self.site is not None:
            logits = logits + self.site(reading.embedding)
        logits = logits * torch.exp(-(numbers @ self.log_temperature))[:, None]
        if not self.training:
            logits = logits + (numbers @ self.log_odds)[:, None] * self.get_buffer("hostile")
        return logits, reading.embedding

    def read(self, tokens: Tensor, numbers: Tensor) -> Reading:
        """Everything below the heads; its embedding [B, H] is what the head reads, and serves novelty and drift."""
        codes = self.get_buffer("codes")[:, 0][tokens][:, None]  # [B, 1, L], 0 for padding
        seen = codes.sign()
        count = seen.sum(2)  # [B, 1]
        around = F.embedding(self._buckets(codes, seen), self.lookup(), padding_idx=0).sum(1)
        size = self.config.grams_dim
        grams, own = around if self.column is None else around[:, :, :size], around[:, :, size:]  # [B, L, G]
        x = torch.cat([F.embedding(tokens, self.table()), grams], dim=2).transpose(1, 2)  # [B, E + G, L]
        stem = _convolved(self.stem, x[:, :, None])
        x = _convolved(self.deep, stem)  # [B, D, 1, L/8 + 1]
        pooled = [
            grams.sum(1) / torch.sqrt(count + 1.0),
            F.relu(grams.amax(1)),  # padding's zeros must not win over a row that is all below zero
            x.sum((2, 3)) / (count * 0.125 + 1.0),
            x.amax((2, 3)),
            numbers,
        ]
        return Reading(stem[:, :, 0], self.body(torch.cat(pooled, dim=1)), numbers, own, count)

    def table(self) -> Tensor:
        """[256 * segments, E]: a byte means nearly the same in every segment; only the sum is learned."""
        summed = (self.segment[:, None, :] + self.byte[None, :, :]).flatten(0, 1)
        return summed * self.get_buffer("codes").clamp(max=1.0)

    def lookup(self) -> Tensor:
        """[buckets, G + WIDE]: the n-gram table, a column's beside it, so that one look-up serves both."""
        return self.grams.weight if self.column is None else torch.cat([self.grams.weight, self.column.grams], dim=1)

    def _buckets(self, codes: Tensor, seen: Tensor) -> Tensor:
        """int32 [B, N, L]: the buckets of the n-grams around each position; 0 for padding."""
        hashed = F.conv1d(codes, self.get_buffer("hash"), padding=_LONGEST // 2) * seen
        return hashed.int() & (self.config.buckets - 1)


def _convolved(layer: nn.Conv1d, x: Tensor) -> Tensor:
    """`relu(layer(x))` of rows that are images of one line, [B, C, 1, L]: onnxruntime is slower on lines alone."""
    weight, stride, padding = layer.weight[:, :, None], (1, *layer.stride), (0, int(layer.padding[0]))
    return F.relu(F.conv2d(x, weight, stride=stride, padding=padding))


def twin(network: Network, **grown: Any) -> Network:
    """The same weights in a network of its own; `grown` (`column`, `site_head`) adds parts that say nothing yet."""
    other = Network(replace(network.config, **grown))
    other.load_state_dict(network.state_dict(), strict=not grown)
    return other.train(network.training)


def _codes(config: Config) -> Tensor:
    """float32 [256 * segments, 1]: a token's number, the same for both cases of a letter, other in each group."""
    fold = torch.arange(256)
    if config.fold_case:
        fold[ord("A") : ord("Z") + 1] += 32
    group = torch.tensor(config.groups).repeat_interleave(256)
    codes = (fold.repeat(len(config.groups)) + 256 * (group + 1)).float()
    codes[0] = 0.0
    return codes[:, None]


def _kernel(lengths: tuple[int, ...]) -> Tensor:
    """float32 [N, 1, 5]: one row of multipliers for each length of n-grams, the n-gram in the middle."""
    kernel = torch.zeros(len(lengths), 1, _LONGEST)
    for row, length in enumerate(lengths):
        start = (_LONGEST - length) // 2
        # turned by one place a row, so that no length hashes like another
        kernel[row, 0, start : start + length] = torch.tensor(_MULTIPLIERS).roll(row)[:length].float()
    return kernel


def _hostile(outputs: int) -> Tensor:
    """float32 [K]: 1 for labels that are threats; none where the outputs are no labels."""
    known = [label not in HARMLESS for label in LABELS] if outputs == len(LABELS) else [False] * outputs
    return torch.tensor(known).float()

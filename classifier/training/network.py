"""The network: one file, shapes in the comments. B rows, L tokens, F numbers, K labels.

Wide and deep over the same tokens. The wide half hashes lower-cased byte n-grams into one embedding table
(fastText, Bojanowski et al. 2017; wide & deep, Cheng et al. 2016): it learns what a character n-gram
regression learns. The deep half is a strided byte convolution that sees order. Both are pooled over the
window, joined with the numbers, and read by a small perceptron. The last layer alone is the `head`.

Every operation is blind to padding, so a record scores the same alone and in any batch.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from classifier.features import NUMBERS, SEGMENTS
from classifier.records import LABELS

# Odd, arbitrary, below 2^18: the sum of five products with numbers below 2^10 stays inside int32.
_MULTIPLIERS = (1, 40503, 224737, 131303, 174763)
# Segments whose n-grams share meaning: names (verb, host, answers) / what is asked / what comes back.
_GROUPS = (0, 1, 1, 2, 2, 3, 3, 1, 2, 2)


@dataclass(frozen=True)
class Config:
    """Sizes. The defaults cost about 4 MFLOP at 512 tokens."""

    bytes_dim: int = 16
    grams: tuple[int, ...] = (3, 4, 5)
    buckets: int = 1 << 16
    grams_dim: int = 16
    stem: int = 64
    deep: int = 64
    hidden: int = 128
    dropout: float = 0.1


class Network(nn.Module):
    """tokens int [B, L], numbers float32 [B, F] -> logits [B, K] (already divided by temperature), embedding [B, H]."""

    def __init__(self, config: Config | None = None) -> None:
        super().__init__()
        self.config = c = config or Config()
        self.byte = nn.Parameter(torch.randn(256, c.bytes_dim) * 0.1)
        self.segment = nn.Parameter(torch.randn(len(SEGMENTS), c.bytes_dim) * 0.1)
        self.grams = nn.Embedding(c.buckets, c.grams_dim)
        nn.init.normal_(self.grams.weight, std=0.05)
        self.stem = nn.Conv1d(c.bytes_dim + c.grams_dim, c.stem, kernel_size=6, stride=4, padding=1)
        self.deep = nn.Conv1d(c.stem, c.deep, kernel_size=3, stride=2, padding=1)
        pooled = 2 * c.grams_dim + 2 * c.deep + len(NUMBERS)
        self.body = nn.Sequential(
            nn.LayerNorm(pooled), nn.Linear(pooled, c.hidden), nn.ReLU(), nn.Dropout(c.dropout), nn.LayerNorm(c.hidden)
        )
        self.head = nn.Linear(c.hidden, len(LABELS))
        # Log-temperatures of the one-hot kinds and phases, fitted after training; the other numbers keep 0.
        self.log_temperature = nn.Parameter(torch.zeros(len(NUMBERS)), requires_grad=False)
        fold = torch.arange(256)
        fold[ord("A") : ord("Z") + 1] += 32
        group = torch.tensor(_GROUPS).repeat_interleave(256)
        # token -> a number that is the same for both cases of a letter and differs between groups
        # (as floats: onnxruntime's CUDA provider pads no integers, and these are exact)
        self.register_buffer("fold", (fold.repeat(len(SEGMENTS)) + 256 * group).float(), persistent=False)

    def forward(self, tokens: Tensor, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """See the class. Padding (token 0) changes nothing."""
        embedding = self.embed(tokens, numbers)
        heat = torch.exp(numbers @ self.log_temperature)  # [B]
        return self.head(embedding) / heat[:, None], embedding

    def embed(self, tokens: Tensor, numbers: Tensor) -> Tensor:
        """[B, H], what the head reads; also the embedding for novelty and drift."""
        seen = (tokens > 0).float()[:, :, None]  # [B, L, 1]
        grams = self._grams(tokens) * seen  # [B, L, G]
        x = torch.cat([F.embedding(tokens, self.table()) * seen, grams], dim=2)  # [B, L, E + G]
        x = F.relu(self.stem(x.transpose(1, 2)))  # [B, S, L/4]
        seen4 = F.max_pool1d(seen.transpose(1, 2), 4)  # [B, 1, L/4]
        x = F.relu(self.deep(x * seen4))  # [B, D, L/8]
        seen8 = F.max_pool1d(seen4, 2)  # [B, 1, L/8]
        x = x * seen8
        pooled = [
            grams.sum(1) / torch.sqrt(seen.sum(1) + 1.0),
            grams.amax(1),
            x.sum(2) / (seen8.sum(2) + 1.0),
            x.amax(2),
            numbers,
        ]
        out: Tensor = self.body(torch.cat(pooled, dim=1))
        return out

    def table(self) -> Tensor:
        """[256 * segments, E]: a byte means nearly the same in every segment; only the sum is learned."""
        return (self.segment[:, None, :] + self.byte[None, :, :]).flatten(0, 1)

    def _grams(self, tokens: Tensor) -> Tensor:
        """[B, L, G]: at each position the summed embeddings of the n-grams that end there.

        The hash is a sum of products, low bits kept: few operations, exact in int32 on every provider.
        """
        longest = max(self.config.grams)
        wide = F.pad(self.get_buffer("fold")[tokens], (longest - 1, 0)).int()  # [B, L + longest - 1]
        found: list[Tensor] = []
        state: Tensor | int = 0
        for n in range(1, longest + 1):
            state = state + wide[:, longest - n : 1 - n or None] * _MULTIPLIERS[n - 1]
            if n in self.config.grams:
                assert isinstance(state, Tensor)
                found.append(self.grams((state + n) & (self.config.buckets - 1)))
        return sum(found[1:], found[0])

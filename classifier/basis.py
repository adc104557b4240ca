"""A few fixed directions through a release's embeddings, so that traffic of other days can be compared along them.

The directions are the principal components of a sample; what lies beside all of them is one coordinate more, the
distance from their subspace (the Q statistic of Jackson & Mudholkar, *Technometrics* 21, 1979): new kinds of traffic
show there first. Coordinates are in standard deviations of the sample. A basis holds no flow, only means over many.
"""

from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from classifier.artifact import Floats

Doubles = npt.NDArray[np.float64]

COMPONENTS: Final = 7
SAMPLE: Final = 256
"""Embeddings that a basis is made of, at least."""
_FLAT: Final = 1e-6
"""Standard deviation, relative to the sample's size, below which a direction holds nothing."""
_NARROW: Final = 0.1
"""Least standard deviation of the distance's logarithm: a sample in one place would make everything far from it."""


class Basis(msgspec.Struct, frozen=True):
    """`mean` [D], `axes` [K][D] orthonormal, `scale` [K]; `middle` and `spread` of the distance's logarithm, and the
    distance `least` that is told from none.
    """

    mean: list[float]
    axes: list[list[float]]
    scale: list[float]
    middle: float
    spread: float
    least: float

    @property
    def coordinates(self) -> int:
        """How many numbers an embedding becomes."""
        return len(self.axes) + 1

    def project(self, embeddings: Floats) -> Doubles:
        """Coordinates [N, coordinates] of embeddings float [N, D]. Raises ValueError for another D."""
        away = np.asarray(embeddings, np.float64) - np.array(self.mean)
        along = away @ np.array(self.axes).reshape(-1, len(self.mean)).T
        distance = _distance(away, along, self.least)
        return np.column_stack([along / np.array(self.scale), (distance - self.middle) / self.spread])


def make(embeddings: Floats) -> Basis:
    """The basis of a sample float [N, D], N at least 2."""
    rows = np.asarray(embeddings, np.float64)
    mean = rows.mean(0)
    away = rows - mean
    size = float(np.sqrt((rows**2).sum(1).mean())) or 1.0
    _, singular, directions = np.linalg.svd(away, full_matrices=False)
    scale = singular / np.sqrt(len(rows) - 1)
    kept = min(COMPONENTS, int((scale > _FLAT * size).sum()))
    axes = directions[:kept]
    least = 1e-3 * size
    distance = _distance(away, away @ axes.T, least)
    spread = max(float(distance.std()), _NARROW)
    return Basis(mean.tolist(), axes.tolist(), scale[:kept].tolist(), float(distance.mean()), spread, least)


def _distance(away: Doubles, along: Doubles, least: float) -> Doubles:
    """Logarithm of the distance [N] from the subspace, by Pythagoras."""
    beside = np.maximum((away**2).sum(1) - (along**2).sum(1), 0.0)
    logarithm: Doubles = np.log(np.sqrt(beside) + least)
    return logarithm

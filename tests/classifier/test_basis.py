"""Directions through a sample, and the distance from all of them."""

import msgspec
import numpy as np
import pytest

from classifier.artifact import Floats
from classifier.basis import COMPONENTS, Basis, make


def sample(rows: int = 400, width: int = 20, seed: int = 0) -> Floats:
    """Rows that spread along three directions only."""
    rng = np.random.default_rng(seed)
    ways = np.random.default_rng(9).normal(size=(3, width))
    return (rng.normal(size=(rows, 3)) * (5.0, 2.0, 1.0) @ ways + 7.0).astype(np.float32)


def test_the_samples_own_coordinates_are_standardised() -> None:
    found = make(sample()).project(sample(seed=1))
    assert np.abs(found[:, :3].mean(0)).max() < 0.25
    assert np.abs(found[:, :3].std(0) - 1.0).max() < 0.2


def test_what_lies_beside_every_direction_shows_in_the_last_coordinate() -> None:
    basis = make(sample() + np.random.default_rng(2).normal(0, 0.1, (400, 20)).astype(np.float32))
    beside = sample(seed=3)
    away = beside + 3.0 * np.random.default_rng(4).normal(size=20).astype(np.float32)
    assert basis.project(away)[:, -1].min() > 4.0


@pytest.mark.parametrize("rows", [sample(300, 4), np.ones((300, 4), np.float32), np.zeros((300, 4), np.float32)])
def test_few_dimensions_or_none_that_vary_are_no_problem(
    rows: Floats,
) -> None:
    basis = make(rows)
    assert basis.coordinates <= COMPONENTS + 1
    assert np.isfinite(basis.project(rows)).all()
    assert np.abs(basis.project(rows + 1.0)).max() > 1.0


def test_it_survives_json() -> None:
    basis = make(sample())
    again = msgspec.json.decode(msgspec.json.encode(basis), type=Basis)
    assert again == basis
    assert len(msgspec.json.encode(basis)) < 10_000


def test_embeddings_of_another_width_are_refused() -> None:
    with pytest.raises(ValueError):
        make(sample()).project(np.ones((2, 3), np.float32))

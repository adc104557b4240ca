"""The floor is honest: trees learn what bytes at fixed places give away, and each width is what it says."""

import numpy as np

from classifier.training.sessions.payloads import LENGTH, Sessions
from classifier.training.sessions.trees import WIDTHS, columns, predictions


def _sessions(seed: int, count: int, place: int) -> Sessions:
    """Two classes told apart by the one byte at `place`."""
    rng = np.random.default_rng(seed)
    bodies = [bytearray(rng.integers(1, 256, 200, np.uint8).tobytes()) for _ in range(count)]
    for number, body in enumerate(bodies):
        body[place] = number % 2
    labels = np.asarray(["even", "odd"] * (count // 2))
    return Sessions([bytes(body) for body in bodies], labels, None, {})


def test_columns_are_padded_and_cut() -> None:
    found = columns([b"abc", b"", b"abcdef"], 4)
    assert found.tolist() == [[97, 98, 99, 0], [0, 0, 0, 0], [97, 98, 99, 100]]


def test_a_tree_and_a_forest_for_each_width() -> None:
    done: list[int] = []
    found = dict(predictions(_sessions(1, 200, 3), _sessions(2, 100, 3), progress=done.append))
    assert list(found) == [f"{name}, {width} bytes" for width in WIDTHS for name in ("decision tree", "random forest")]
    assert done == [1, 2, 3, 4]
    truth = _sessions(2, 100, 3).labels
    assert all((found[f"decision tree, {width} bytes"] == truth).mean() == 1.0 for width in WIDTHS)


def test_what_lies_behind_the_width_is_not_seen() -> None:
    truth = _sessions(2, 200, 150).labels
    found = dict(predictions(_sessions(1, 200, 150), _sessions(2, 200, 150)))
    assert (found[f"decision tree, {LENGTH} bytes"] == truth).mean() == 1.0
    assert (found["decision tree, 64 bytes"] == truth).mean() < 0.7

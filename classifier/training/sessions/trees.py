"""What trees make of a session's bytes, each byte a column: the floor that a network has to beat.

Untuned scikit-learn, as the corpus README's own floors are: 60 trees in the forest.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from classifier.training.sessions.payloads import LENGTH, Sessions

TREES: Final = 60
WIDTHS: Final = (64, LENGTH)
"""Bytes that a tree may look at."""

Told = npt.NDArray[np.str_]


def predictions(
    train: Sessions, test: Sessions, seed: int = 0, progress: Callable[[int], None] = lambda done: None
) -> Iterator[tuple[str, Told]]:
    """(name, labels of the test rows) of a decision tree and a random forest, for each of WIDTHS.

    `progress` is called with the number of models done.
    """
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.tree import DecisionTreeClassifier

    done = 0
    for width in WIDTHS:
        seen, asked = columns(train.payloads, width), columns(test.payloads, width)
        models: dict[str, Any] = {
            "decision tree": DecisionTreeClassifier(random_state=seed),
            "random forest": RandomForestClassifier(TREES, n_jobs=-1, random_state=seed),
        }
        for name, model in models.items():
            told = model.fit(seen, train.labels).predict(asked)
            done += 1
            progress(done)
            yield f"{name}, {width} bytes", told


def columns(payloads: Sequence[bytes], width: int) -> npt.NDArray[np.uint8]:
    """uint8 [N, width]: the first bytes, zeros behind the end."""
    joined = b"".join(payload[:width].ljust(width, b"\0") for payload in payloads)
    return np.frombuffer(joined, np.uint8).reshape(len(payloads), width)

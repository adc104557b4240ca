"""A model file that proves itself before it judges traffic: `Model`.

Runs at start and whenever a new release is promoted, then in a thread beside live traffic: nothing here
changes global state except onnxruntime's log level while a session is made.

The proof, in order: the bytes are a model; it carries a card; the card's feature schema and labels are
ours; inputs and outputs have the agreed names and types; the golden rows come out as they did in
training; a few lengths run and give finite numbers. The first failure raises `ModelRefused`.
"""

import hashlib
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from classifier.card import Golden, ModelCard, ModelRefused, OperatingPoint, decode, write_card
from classifier.features import NUMBERS, SCHEMA
from classifier.records import LABELS
from classifier.runtime import CUDA, TURN, Device, open_session

__all__ = ["Device", "Golden", "Model", "ModelCard", "ModelRefused", "OperatingPoint", "read_card", "write_card"]

OUTPUTS: Final = ("probabilities", "embedding")
TOLERANCE: Final = 1e-3
TOLERANCE_CUDA: Final = 2e-2
"""Largest difference of a golden probability; CUDA convolves in TF32 (10 bits of mantissa)."""
WARM: Final = ((1, 32), (1, 128), (1, 512), (1, 1024), (4, 1024))
"""Windows and lengths run once before the first flow: the first run of a shape allocates."""

Floats = npt.NDArray[np.float32]


class Model:
    """A loaded model that proved it can serve. Safe to run from several threads; holds no file open."""

    def __init__(self, session: Any, card: ModelCard, release: str, data: bytes = b"") -> None:
        self._session, self._data = session, data
        self.card = card
        self.release = release
        """The registry's id; for a loose file the card's, else the start of the file's digest."""
        self.provider: str = session.get_providers()[0]

    @classmethod
    def load(cls, path: Path, device: Device = "auto") -> "Model":
        """Load a loose file. Raises ModelRefused; for a release use `Registry.load`, which checks its signature."""
        return cls.from_bytes(_read(path), device)

    @classmethod
    def from_bytes(cls, data: bytes, device: Device = "auto", *, release: str = "") -> "Model":
        """Load a file's contents and prove them. Raises ModelRefused."""
        session = open_session(data, device)
        card, golden = decode(session.get_modelmeta().custom_metadata_map)
        _prove_card(card)
        _prove_signature(session)
        name = release or card.release or hashlib.sha256(data).hexdigest()[:12]
        # On a GPU the queue makes a session of its own from the bytes; a CPU's memory is spared them.
        model = cls(session, card, name, data if session.get_providers()[0] == CUDA else b"")
        _prove_golden(model, golden)
        _warm(model)
        return model

    def run(self, tokens: npt.NDArray[np.int32], numbers: Floats) -> tuple[Floats, Floats]:
        """Judge windows: tokens int32 [N, L], numbers float32 [N, F] → probabilities [N, labels], embedding [N, D]."""
        if self.provider == CUDA:
            with TURN:
                return self._run(tokens, numbers)
        return self._run(tokens, numbers)

    def session(self, *, graphs: bool) -> Any:
        """A session for fixed shapes in one thread, on CUDA a new one that captures if `graphs`. Raises ModelRefused.

        On a CPU, which has no graphs to capture, it is the model's own.
        """
        if not self._data:
            return self._session
        # A graph cannot be captured with a part of the model on the CPU, so that `auto` would not do.
        session = open_session(self._data, "cuda" if graphs else "auto", graphs=graphs)
        if session.get_providers()[0] != self.provider:
            raise ModelRefused("provider", f"it was proved on {self.provider}, which a second session cannot have")
        return session

    def _run(self, tokens: npt.NDArray[np.int32], numbers: Floats) -> tuple[Floats, Floats]:
        probabilities, embedding = self._session.run(OUTPUTS, {"tokens": tokens, "numbers": numbers})
        return probabilities, embedding


def read_card(path: Path) -> ModelCard:
    """The card of a file, unproven. Raises ModelRefused("unreadable")."""
    return card_of(_read(path))


def card_of(data: bytes) -> ModelCard:
    """The card of a file's contents, unproven. Raises ModelRefused("unreadable")."""
    return decode(open_session(data, "cpu").get_modelmeta().custom_metadata_map)[0]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelRefused("unreadable", f"{path}: {error.strerror}") from None


def _prove_card(card: ModelCard) -> None:
    if card.schema != SCHEMA:
        raise ModelRefused(
            "schema", f"made for features {card.schema[:12]}, this version has {SCHEMA[:12]}; retrain it"
        )
    if card.labels != list(LABELS):
        raise ModelRefused("labels", f"its labels are {', '.join(card.labels)}; this version has {', '.join(LABELS)}")


def _prove_signature(session: Any) -> None:
    """Names, element types and ranks of what goes in and comes out."""
    found = {node.name: (node.type, len(node.shape)) for node in (*session.get_inputs(), *session.get_outputs())}
    wanted = {"tokens": ("tensor(int32)", 2)} | dict.fromkeys(("numbers", *OUTPUTS), ("tensor(float)", 2))
    if found != wanted:
        raise ModelRefused("schema", f"its inputs and outputs are {found}, not {wanted}")


def _prove_golden(model: Model, golden: Golden) -> None:
    """An empty set proves nothing, so it is refused too; NaN fails the comparison by itself."""
    rows = len(golden.tokens)
    if rows == 0 or golden.numbers.shape != (rows, len(NUMBERS)) or golden.probabilities.shape != (rows, len(LABELS)):
        raise ModelRefused("golden", "its golden rows are missing or have the wrong shape")
    probabilities, _ = _run(model, golden.tokens, golden.numbers)
    if probabilities.shape != golden.probabilities.shape:
        raise ModelRefused("golden", f"it gives {probabilities.shape[1:]} probabilities a row, not {len(LABELS)}")
    difference = float(np.abs(probabilities - golden.probabilities).max())
    if not difference <= (TOLERANCE_CUDA if model.provider == CUDA else TOLERANCE):
        raise ModelRefused("golden", f"its golden rows differ by {difference:.2g} on {model.provider}")


def _warm(model: Model) -> None:
    for windows, length in WARM:
        tokens = np.arange(windows * length, dtype=np.int32).reshape(windows, length) % 256
        for output in _run(model, tokens, np.zeros((windows, len(NUMBERS)), np.float32)):
            if output.shape[0] != windows or not np.isfinite(output).all():
                raise ModelRefused("golden", f"it gives no finite numbers for {windows} windows of {length} tokens")


def _run(model: Model, tokens: npt.NDArray[np.int32], numbers: Floats) -> tuple[Floats, Floats]:
    try:
        return model.run(tokens, numbers)
    except Exception as error:  # onnxruntime's errors share no base class of their own
        raise ModelRefused("golden", f"it fails to run ({' '.join(str(error).split())[:200]})") from None

"""What a model file says of itself: `ModelCard` and `Golden` rows, kept in the ONNX file's metadata.

Needs no onnxruntime, so that policy and evaluation can handle cards and thresholds without it.
The card is a claim: `artifact` proves it when a file is loaded, `registry` proves who wrote the file.
"""

import base64
import io
import os
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from classifier.errors import UserError

CARD: Final = "sluice.card"
GOLDEN: Final = "sluice.golden"

Reason = Literal["unreadable", "schema", "labels", "golden", "signature", "provider"]


class ModelRefused(UserError):
    """A model that must not judge traffic. `reason` names the proof that failed, the text says how."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(f"model refused ({reason}): {message}")
        self.reason: Reason = reason


class OperatingPoint(msgspec.Struct, frozen=True):
    """A threshold, and the upper bound (one-sided, 95 %) of the false-positive rate it was seen to have."""

    threshold: float
    upper_bound: float


OperatingPoints = dict[str, dict[str, dict[str, OperatingPoint]]]
"""kind/phase → label or `threat` → "0.01" | "0.001" | "0.0001" (false-positive rate aimed at) → point."""


class ModelCard(msgspec.Struct, kw_only=True):
    """Lineage, labels, calibration and thresholds of one model. `created` is ISO 8601 in UTC.

    `data` maps the name of each training table to its SHA-256. `temperature` (by kind/phase) is for
    the reader: it is already applied inside the graph. `operating_points[k]["threat"]` are thresholds
    on `Verdict.threat`, those under a label are thresholds on that label's score.
    """

    schema: str
    labels: list[str]
    release: str = ""
    parent: str = ""
    created: str = ""
    method: str = ""
    data: dict[str, str] = {}
    temperature: dict[str, float] = {}
    operating_points: OperatingPoints = {}
    metrics: dict[str, Any] = {}
    notes: str = ""


class Golden(NamedTuple):
    """Inputs whose outputs are known: a file that answers otherwise is run by the wrong provider or is damaged."""

    tokens: npt.NDArray[np.int32]
    """int32 [G, L]."""
    numbers: npt.NDArray[np.float32]
    """float32 [G, F]."""
    probabilities: npt.NDArray[np.float32]
    """float32 [G, labels]."""


def write_card(path: Path, card: ModelCard, golden: Golden) -> None:
    """Put card and golden rows into the ONNX file at `path`, replacing what it had. Other metadata stays.

    Needs the package `onnx` (the extra `train`).
    """
    import onnx

    model = onnx.load(path)
    kept = {entry.key: entry.value for entry in model.metadata_props}
    onnx.helper.set_model_props(model, kept | {CARD: encode_card(card), GOLDEN: encode_golden(golden)})
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        file.write(model.SerializeToString())
    os.chmod(file.name, 0o644)
    os.replace(file.name, path)


def encode_card(card: ModelCard) -> str:
    """The card as one line of JSON."""
    return msgspec.json.encode(card).decode()


def encode_golden(golden: Golden) -> str:
    """The rows as base64 of an uncompressed-safe `.npz` (numpy's own format, no pickles)."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **golden._asdict())
    return base64.b64encode(buffer.getvalue()).decode()


def decode(metadata: Mapping[str, str]) -> tuple[ModelCard, Golden]:
    """Card and golden rows from a file's metadata. Raises ModelRefused("unreadable")."""
    if CARD not in metadata or GOLDEN not in metadata:
        raise ModelRefused("unreadable", "the file carries no card; it was not made by `sluice train` or `finetune`")
    try:
        card = msgspec.json.decode(metadata[CARD], type=ModelCard)
        with np.load(io.BytesIO(base64.b64decode(metadata[GOLDEN], validate=True)), allow_pickle=False) as rows:
            golden = Golden(*(rows[name] for name in Golden._fields))
    except (msgspec.MsgspecError, ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise ModelRefused("unreadable", f"its card or golden rows are damaged ({error})") from None
    return card, golden

"""All figures of one evaluation as they are saved: what the terminal, the page and the model card are made from.

Files of earlier versions stay readable: fields are only ever added, with a default.
"""

from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

from classifier.errors import UserError
from classifier.records import LABELS
from classifier.training.evaluation.compare import Comparison
from classifier.training.evaluation.evasions import Ablation, Evasion
from classifier.training.evaluation.measure import Judgement
from classifier.training.evaluation.phases import PhaseReport
from classifier.training.evaluation.sources import SourceReport


class SystemFigures(msgspec.Struct):
    """One system's figures. `microseconds` is the median of a request judged alone; `confusion` counts flows by
    label and by the likeliest label; `bytes` are the sizes of a release's files."""

    name: str
    release: str
    reports: list[SourceReport]
    microseconds: float | None = None
    confusion: dict[str, dict[str, int]] = {}
    phases: list[PhaseReport] = []
    bytes: dict[str, int] = {}


class Target(msgspec.Struct):
    """A target, what was measured, and where it is missed; `met` is None when it was not measured."""

    name: str
    wanted: str
    measured: str
    met: bool | None
    missed: list[str] = []


class Evaluation(msgspec.Struct):
    """What `sluice evaluate --json` writes. `settings` is what the command was asked for, paths left out."""

    rows: int
    skipped: int
    systems: list[SystemFigures]
    settings: dict[str, Any] = {}
    comparisons: list[Comparison] = []
    evasions: list[Evasion] = []
    ablations: list[Ablation] = []
    targets: list[Target] = []


def encode(evaluation: Evaluation) -> bytes:
    """Indented JSON."""
    return msgspec.json.format(msgspec.json.encode(evaluation), indent=1) + b"\n"


def decode(path: Path) -> Evaluation:
    """A saved evaluation. Raises UserError."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Evaluation)
    except (OSError, msgspec.MsgspecError) as error:
        raise UserError(f"{path} is no evaluation: {error}") from None


def confusion(judgement: Judgement, name: str) -> dict[str, dict[str, int]]:
    """Flows of each label by the likeliest label; empty for a system that names none."""
    if name not in judgement.guesses:
        return {}
    pairs = Counter(zip(map(str, judgement.labels), judgement.guesses[name].tolist(), strict=True))
    told = [str(label) for label in LABELS if any(label == pair[0] for pair in pairs)]
    return {
        label: {str(guess): pairs[label, index] for index, guess in enumerate(LABELS) if pairs[label, index]}
        for label in told
    }

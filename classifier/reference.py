"""What a release brings along to be compared with: `reference.json`, written where it was fine-tuned.

Its counts are of the site's own recent traffic as the release itself judges it, for the phases of which there is
enough. Counts and means only: a release may leave the site.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np

from classifier.artifact import Floats, Model
from classifier.basis import SAMPLE, Basis, make
from classifier.features import vectorize
from classifier.records import FlowRecord, Verdict
from classifier.scorer import BadScore, Scorer
from classifier.stability import AXIS_BINS, ENOUGH, SCORE_BINS, Counts, axis_bins, score_bin
from classifier.tallies import RELEASE, SCORE, Reference, Tallies

REFERENCE: Final = "reference.json"


class Side(msgspec.Struct, frozen=True):
    """One phase: counts of scores [SCORE_BINS], the basis, and counts of each of its coordinates [C][AXIS_BINS]."""

    score: list[int]
    basis: Basis
    axes: list[list[int]]


class Content(msgspec.Struct, frozen=True):
    """The file, by phase."""

    phases: dict[str, Side] = {}


def measured(model: Model, records: Sequence[FlowRecord], wanted: int = ENOUGH) -> Content:
    """Count masked records of any phase as `model` judges them, without phases with too few for `wanted` counts."""
    phases: dict[str, list[FlowRecord]] = defaultdict(list)
    for record in records:
        phases[record.phase].append(record)
    return Content({phase: _side(model, found) for phase, found in phases.items() if len(found) >= wanted + SAMPLE})


def encode(content: Content) -> bytes:
    """The file's bytes."""
    return msgspec.json.encode(content) + b"\n"


def adopt(tallies: Tallies, release: str, content: bytes) -> None:
    """Compare what `release` judges from now on with its own reference. Raises ValueError for what is none."""
    for phase, side in msgspec.json.decode(content, type=Content).phases.items():
        if not _sound(side):
            raise ValueError(f"the reference of phase {phase} does not fit this version")
        tallies.found(release, phase, side.basis)
        for axis, counts in ((SCORE, side.score), *enumerate(side.axes)):
            tallies.settle(release, phase, axis, Reference(np.array(counts, np.int64), RELEASE, 0))


def tally(basis: Basis, embeddings: Floats) -> dict[int, Counts]:
    """Counts [AXIS_BINS] of embeddings float [N, D] by axis. Raises ValueError for another D."""
    places = axis_bins(basis.project(embeddings))
    return {axis: np.bincount(places[:, axis], minlength=AXIS_BINS) for axis in range(places.shape[1])}


def embedded(scorer: Scorer, record: FlowRecord) -> tuple[Verdict, Floats]:
    """Verdict on a masked record and its embedding [D]. Raises BadScore."""
    features = vectorize(record)
    return scorer.score(features), scorer.embed(features)


def _side(model: Model, records: Sequence[FlowRecord]) -> Side:
    scorer = Scorer(model)
    threats, embeddings = [], []
    for record in records:
        try:
            verdict, embedding = embedded(scorer, record)
        except BadScore:
            continue
        threats.append(verdict.threat)
        embeddings.append(embedding)
    rows = np.array(embeddings)
    # What a basis was made of lies a little closer to it than other rows do: it is not counted.
    known, counted = rows[:SAMPLE], rows[SAMPLE:]
    basis = make(known)
    score = np.bincount([score_bin(threat) for threat in threats], minlength=SCORE_BINS)
    return Side(score.tolist(), basis, [counts.tolist() for _, counts in sorted(tally(basis, counted).items())])


def _sound(side: Side) -> bool:
    """Whether the parts have the sizes that this version counts with."""
    widths = {len(counts) for counts in side.axes}
    dimensions = {len(axis) for axis in side.basis.axes} | {len(side.basis.mean)}
    right = len(side.score) == SCORE_BINS and widths == {AXIS_BINS} and len(side.axes) == side.basis.coordinates
    return right and len(dimensions) == 1 and len(side.basis.scale) == len(side.basis.axes)

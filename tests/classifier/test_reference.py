"""What a release brings along: counted by itself on the site's traffic, read only where it fits."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from classifier.artifact import Model
from classifier.journal import Journal
from classifier.masking import mask
from classifier.records import FlowRecord
from classifier.reference import Content, adopt, encode, measured
from classifier.stability import SCORE_BINS
from classifier.tallies import RELEASE, SCORE, Tallies
from models import tiny_model

WANTED = 50


@pytest.fixture
def content(tmp_path: Path) -> Content:
    records = [
        mask(FlowRecord(host="a.example", method="GET", path=f"/{'x' * (number % 40)}?q={chr(39) * (number % 3)}"))
        for number in range(400)
    ]
    lone = FlowRecord(host="a.example", phase="connect")
    return measured(Model.load(tiny_model(tmp_path / "model.onnx")), [*records, lone], WANTED)


def test_only_phases_with_enough_flows_have_one(content: Content) -> None:
    assert content.phases.keys() == {"request"}
    side = content.phases["request"]
    assert sum(side.score) == 400
    assert {sum(counts) for counts in side.axes} == {400 - 256}, "what the basis was made of is not counted"


def test_it_is_adopted_and_stays(content: Content, tmp_path: Path) -> None:
    tallies = Tallies(Journal(tmp_path / "sluice.db"))
    adopt(tallies, "r", encode(content))
    kept = tallies.reference("r", "request", SCORE)
    assert kept is not None and (kept.origin, int(kept.counts.sum()), len(kept.counts)) == (RELEASE, 400, SCORE_BINS)
    assert tallies.basis("r", "request") == content.phases["request"].basis
    assert tallies.reference("r", "request", 0) is not None


def test_it_names_no_host_and_no_path(content: Content) -> None:
    assert b"example" not in encode(content) and b"xxx" not in encode(content)


def test_what_does_not_fit_is_refused(content: Content, tmp_path: Path) -> None:
    tallies = Tallies(Journal(tmp_path / "sluice.db"))
    side = content.phases["request"]
    for broken in (
        b"{",
        b'{"phases": {"request": 1}}',
        encode(Content({"request": msgspec.structs.replace(side, score=side.score[:9])})),
        encode(Content({"request": msgspec.structs.replace(side, axes=side.axes[:1])})),
        encode(Content({"request": msgspec.structs.replace(side, axes=[axis[:9] for axis in side.axes])})),
    ):
        with pytest.raises(ValueError):
            adopt(tallies, "r", broken)
    assert tallies.reference("r", "request", SCORE) is None


def test_an_own_reference_is_stable_against_itself(content: Content) -> None:
    from classifier.stability import psi

    counts = np.array(content.phases["request"].score)
    assert psi(counts, counts) == 0.0

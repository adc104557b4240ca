"""Where a shift comes from: parts that add up, the host that is new at the top, flows worth a label."""

import time
from pathlib import Path

import numpy as np
import pytest

from classifier import store
from classifier.artifact import Model
from classifier.basis import Basis, make
from classifier.drift import Figure
from classifier.errors import UserError
from classifier.features import vectorize
from classifier.masking import mask
from classifier.moved import FEWEST, LISTED, SAMPLE, Sides, explain, samples
from classifier.records import FlowRecord
from classifier.scorer import Scorer
from classifier.store import CaptureRow
from models import tiny_model

SCORES = Figure(phase="request", of="score", psi=0.5, verdict="moved")
EMBEDDINGS = Figure(phase="request", of="embedding", psi=0.5, verdict="moved", axis=1)
"""The first axis is the length of a path, the second the number of quotes."""


def flow(number: int, host: str = "usual.example", quotes: int = 0, kind: str = "text/html") -> FlowRecord:
    path = f"/{'x' * (number % 20)}?q={chr(39) * quotes}"
    return mask(
        FlowRecord(
            id=f"{host}-{number}", host=host, method="GET", scheme="https", path=path, phase="response", status=200,
            response_headers=(("Content-Type", f"{kind}; charset=utf-8"),), time=1000.0 + number,
        )
    )  # fmt: skip


@pytest.fixture
def scorer(tmp_path: Path) -> Scorer:
    return Scorer(Model.load(tiny_model(tmp_path / "model.onnx", weight=2.0)))


@pytest.fixture
def sides() -> Sides:
    """Before one host; since then a third of the flows goes to another, which scores higher."""
    usual = [flow(number) for number in range(400)]
    return Sides(usual, usual[:200] + [flow(number, "new.example", 2, "application/json") for number in range(100)])


def test_the_new_host_and_its_type_brought_the_shift_and_parts_add_up(scorer: Scorer, sides: Sides) -> None:
    (shift,), _ = explain(scorer, [SCORES], {}, sides)
    assert (shift.before, shift.now) == (400, 300)
    assert shift.psi > 0.25
    for kind, name in (("host", "new.example"), ("content type", "application/json")):
        parts = [part for part in shift.parts if part.kind == kind]
        assert parts[0].name == name
        assert parts[0].before == 0.0 and parts[0].now == pytest.approx(1 / 3)
        assert sum(part.part for part in parts) == pytest.approx(1.0)


def test_embeddings_are_taken_apart_along_the_axis_that_moved(scorer: Scorer, sides: Sides) -> None:
    basis: Basis = make(np.array([scorer.embed(vectorize(record)) for record in sides.now]))
    (shift,), _ = explain(scorer, [EMBEDDINGS], {"request": basis}, sides)
    assert shift.of == "embedding" and shift.psi > 0.25
    assert explain(scorer, [EMBEDDINGS], {}, sides) == ([], []), "without a basis nothing can be said"


def test_tunnels_are_seen_through_the_requests_in_them(scorer: Scorer, sides: Sides) -> None:
    figure = Figure(phase="connect", of="score", psi=0.5, verdict="moved")
    (shift,), _ = explain(scorer, [figure], {}, sides)
    assert (shift.phase, shift.before) == ("connect", 400)


@pytest.mark.parametrize("few", [0, 1])
def test_too_few_flows_say_nothing(scorer: Scorer, sides: Sides, few: int) -> None:
    cut = Sides(*(side[: FEWEST - 1] if number == few else side for number, side in enumerate(sides)))
    assert explain(scorer, [SCORES], {}, cut) == ([], [])


def test_the_flows_worth_a_label_are_the_most_threatening_of_the_hosts_that_moved(scorer: Scorer, sides: Sides) -> None:
    _, doubts = explain(scorer, [SCORES], {}, sides, {"new.example-3"})
    assert len(doubts) == LISTED
    assert {doubt.what.split("/")[0] for doubt in doubts} == {"GET new.example"}
    assert "new.example-3" not in {doubt.id for doubt in doubts}
    assert all("?" not in doubt.what for doubt in doubts)


def test_captures_are_parted_by_time_and_sampled(tmp_path: Path) -> None:
    writer = store.CaptureWriter(tmp_path, worker="0", max_age=1e12, max_bytes=10**9)
    now = time.time()
    for number in range(60):
        old = FlowRecord(id=str(number), host="a.example", path="/", time=now - (100.0 if number < 40 else 1.0))
        assert writer.offer(CaptureRow(record=old))
    writer.close()
    (day,) = tmp_path.glob("date=*")
    day.rename(tmp_path / "date=2026-01-01")
    found = samples(tmp_path, now - 50.0, [])
    assert (len(found.before), len(found.now)) == (40, 20)
    assert max(len(side) for side in found) <= SAMPLE
    assert samples(tmp_path, now + 50.0, []).now == []


def test_without_captures_it_says_how_to_get_some(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="`sluice run` makes them"):
        samples(tmp_path, 0.0, [])


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "date=2026-01-01" / "proxy=0"
    folder.mkdir(parents=True)
    (folder / "torn.parquet").write_bytes(b"PAR1")
    bad: list[Path] = []
    assert samples(tmp_path, 0.0, bad) == Sides([], [])
    assert bad == [folder / "torn.parquet"]

"""How strange a flow is, and which flows that passed are put into the queue."""

from pathlib import Path

import numpy as np
import pytest

from classifier import novelty, review
from classifier.artifact import Model
from classifier.journal import Journal
from classifier.novelty import LEAST, PICKS, Known, refresh, seen
from classifier.records import FlowRecord, Label, Verdict
from classifier.scorer import Scorer
from classifier.store import CaptureRow, CaptureWriter
from models import tiny_model

NOW = 1_790_000_000.0


def row(number: int, path: str, threat: float = 0.01, *, action: str = "allow", phase: str = "request") -> CaptureRow:
    record = FlowRecord(id=f"{path}-{number}", time=NOW + number, host="shop.example", method="GET", scheme="https",
                        path=path, phase=phase)  # type: ignore[arg-type]  # fmt: skip
    verdict = Verdict(Label.BENIGN, threat, {Label.BENIGN: 1 - threat, Label.SQLI: threat}, "r")
    return CaptureRow(record=record, verdicts={record.phase: verdict}, action=action, enforced=False, release="r")


def capture(folder: Path, *rows: CaptureRow) -> Path:
    writer = CaptureWriter(folder / "captures", worker="0", max_age=1e10, max_bytes=1 << 30)
    for each in rows:
        writer.offer(each)
    writer.close()
    return folder / "captures"


@pytest.fixture
def scorer(tmp_path: Path) -> Scorer:
    """A model whose embedding is how many quotes and tildes there are beside the length."""
    return Scorer(Model.load(tiny_model(tmp_path / "model.onnx"), "cpu"))


USUAL = [row(number, f"/item/{number}") for number in range(LEAST)]


def unit(*rows: list[float]) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    found = np.array(rows, np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def test_what_lies_among_traffic_is_usual_and_what_lies_apart_is_strange() -> None:
    known = Known(unit([1, 0], [0.9, 0.1]), np.array([60, 40]))
    found = novelty.novelty(unit([1, 0], [0, 1]), known)
    assert found.tolist() == pytest.approx([0.0, 1.0])


def test_a_flow_is_no_company_for_itself() -> None:
    known = Known(unit([1, 0], [0, 1]), np.array([100, 1]))
    assert novelty.novelty(known.vectors, known, own=True).tolist() == pytest.approx([0.0, 100 / 101])


def test_nothing_is_strange_beside_too_little_traffic() -> None:
    known = Known(unit([1, 0]), np.array([LEAST - 1]))
    assert novelty.novelty(unit([0, 1]), known).tolist() == [0.0]


def test_flows_that_differ_in_numbers_are_one_sort_and_bare_connections_none(tmp_path: Path) -> None:
    captures = capture(tmp_path, *USUAL, row(1, "/other"), row(2, "", phase="connect"))
    sorts = seen(captures)
    assert sorted((each.row.record.path, each.size) for each in sorts) == [(f"/item/{LEAST - 1}", LEAST), ("/other", 1)]


def test_the_doubtful_and_the_strange_that_passed_are_picked_once(tmp_path: Path, scorer: Scorer) -> None:
    captures = capture(
        tmp_path, *USUAL, row(90, "/doubt", 0.5), row(91, "/tildes~~~~~~~~"), row(92, "/stopped", 0.5, action="block")
    )
    journal = Journal(tmp_path / "sluice.db")
    assert refresh(journal, captures, scorer) == 2
    items = review.waiting(journal)
    assert {item.url.rpartition("/")[2] for item in items} == {"doubt", "tildes~~~~~~~~"}
    assert {item.action for item in items} == {"allow"}
    strange = next(item for item in items if "tildes" in item.url)
    assert strange.novelty > 0.95 and strange.because == ["unlike the traffic of this site"]
    assert refresh(journal, captures, scorer) == 0, "their like waits already"
    for item in items:
        review.say(journal, item.event, "benign")
    assert refresh(journal, captures, scorer) == 0, "and somebody has spoken on it"


def test_no_more_are_picked_than_a_person_can_look_at(tmp_path: Path, scorer: Scorer) -> None:
    names = [f"/{chr(97 + number // 26)}{chr(97 + number % 26)}q" for number in range(PICKS + 9)]
    captures = capture(tmp_path, *(row(number, name, 0.5) for number, name in enumerate(names)))
    assert refresh(Journal(tmp_path / "sluice.db"), captures, scorer) == PICKS


def test_without_captures_there_is_nothing_to_pick(tmp_path: Path, scorer: Scorer) -> None:
    assert refresh(Journal(tmp_path / "sluice.db"), tmp_path / "captures", scorer) == 0

"""The review queue: its order, its memory, and what a word does."""

from pathlib import Path
from typing import Any

import pytest

from classifier import review
from classifier.errors import UserError
from classifier.journal import Event, Journal
from classifier.records import FlowRecord, Label, Verdict
from classifier.review import Item

NOW = 1_790_000_000.0


def verdict(threat: float, label: Label = Label.SQLI) -> Verdict:
    return Verdict(label, threat, {label: threat, Label.BENIGN: 1 - threat}, "r")


def event(journal: Journal, name: str = "e1", path: str = "/item?id=1%27--", **fields: Any) -> Event:
    """Write an event down."""
    record = FlowRecord(id=f"flow-{name}", time=NOW, client="10.0.0.7", host="shop.example", method="GET",
                        scheme="http", path=path, port=80)  # fmt: skip
    told: dict[str, Any] = {
        "id": name, "time": NOW, "record": record, "action": "block", "enforced": True, "release": "r",
        "verdict": verdict(0.9), "label": Label.SQLI, "reason": "threat 0.9 reaches the block threshold 0.8", **fields,
    }  # fmt: skip
    found = Event(**told)
    journal.event(found)
    return found


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "sluice.db")


def order(journal: Journal) -> list[str]:
    return [item.event for item in review.waiting(journal)]


def test_reports_come_first_then_blocks_then_doubts(journal: Journal) -> None:
    event(journal, "sure", action="flag", verdict=verdict(0.99))
    event(journal, "doubtful", action="flag", verdict=verdict(0.52))
    event(journal, "blocked")
    event(journal, "once", action="flag")
    event(journal, "often", action="flag")
    for name in ("once", "often", "often"):
        journal.report(name, "10.0.0.7")
    assert order(journal) == ["often", "once", "blocked", "doubtful", "sure"]
    assert review.count(journal) == (5, 2)
    assert [item.reported for item in review.waiting(journal)] == [2, 1, 0, 0, 0]
    assert [item.reporter for item in review.waiting(journal)][:3] == ["10.0.0.7", "10.0.0.7", ""]


def test_what_is_strange_comes_before_its_like(journal: Journal) -> None:
    event(journal, "usual", action="flag", path="/a")
    event(journal, "strange", action="flag", path="/b")
    review.remember(journal, {"strange": 0.99, "usual": 0.2, "gone": 1.0})
    assert order(journal) == ["strange", "usual"]
    assert review.waiting(journal)[0].because == ["unlike the traffic of this site"]
    assert set(review.remembered(journal)) == {"strange", "usual"}, "what is kept goes with its event"


def test_a_second_one_of_a_kind_waits_behind_others(journal: Journal) -> None:
    for number in range(3):
        event(journal, f"alike-{number}", path=f"/order/{number}?x=1")
    event(journal, "other", action="flag", path="/search")
    assert order(journal)[1] == "other"


def test_what_was_skipped_comes_last_and_can_come_back(journal: Journal) -> None:
    for name in ("a", "b", "c"):
        event(journal, name, path=f"/{name}x")
    first = order(journal)
    review.skip(journal, first[0])
    assert order(journal) == [*first[1:], first[0]]
    assert "skipped before" in review.waiting(journal)[-1].because
    review.skip(journal, first[0], 0.0)
    assert order(journal) == first


@pytest.mark.parametrize(
    ("threat", "bits"), [(0.5, 1.0), (0.0, 0.0), (1.0, 0.0), (0.11, 0.4999), (0.89, 0.4999), (None, 1.0)]
)
def test_doubt_is_the_entropy_of_the_threat(threat: float | None, bits: float) -> None:
    assert review.doubt(None if threat is None else verdict(threat)) == pytest.approx(bits, abs=1e-3)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("/order/17", "/order/4711?page=2", True),
        ("/f/deadbeefcafe", "/f/0123456789ab", True),
        ("/order/17", "/invoice/17", False),
    ],
)
def test_the_shape_of_a_flow_is_its_address_without_numbers(one: str, other: str, same: bool) -> None:
    shapes = {review.shape(FlowRecord(host="a.example", path=path)) for path in (one, other)}
    assert (len(shapes) == 1) is same


@pytest.mark.parametrize("name", ["e1", "flow-e1"])
def test_what_was_labelled_by_event_or_flow_is_done(journal: Journal, name: str) -> None:
    event(journal, "e1")
    journal.report("e1", "10.0.0.7")
    assert review.say(journal, name, "benign") is None
    assert (review.waiting(journal), review.count(journal)) == ([], (0, 0))
    assert journal.labels()[name].origin == "admin"
    assert journal.audits()[0][1:] == ("label", f"{name} is benign (console)")


def test_a_word_that_is_taken_back_leaves_what_was_said_before(journal: Journal) -> None:
    event(journal, "e1")
    assert review.say(journal, "e1", "benign", 0.5) is None
    before = review.say(journal, "e1", "sqli")
    assert before is not None and (before.label, before.weight) == ("benign", 0.5)
    review.unsay(journal, "e1", before)
    assert (journal.labels()["e1"].label, journal.labels()["e1"].weight) == ("benign", 0.5)
    review.unsay(journal, "e1", None)
    assert journal.labels() == {} and order(journal) == ["e1"]
    assert journal.audits()[0][1] == "label" and "taken back" in journal.audits()[0][2]


@pytest.mark.parametrize(
    ("flow", "label"), [("e1", "nonsense"), ("", "benign"), ("x" * 300, "benign"), ("a\nb", "benign")]
)
def test_nonsense_is_refused(journal: Journal, flow: str, label: str) -> None:
    with pytest.raises(UserError):
        review.say(journal, flow, label)


def test_a_line_of_the_queue(journal: Journal) -> None:
    item: Item = review.item(event(journal, "e1", label=None, verdict=None))
    found = (item.url, item.client, item.label, item.threat, item.time)
    assert found == ("http://shop.example/item?id=1%27--", "10.0.0.7", "", 0.0, NOW)
    assert item.because == ["it was stopped", "it could not be judged"]


def test_a_long_address_is_cut() -> None:
    assert len(review.address(FlowRecord(host="a.example", scheme="https", path="/" + "x" * 900))) == 301

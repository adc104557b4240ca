import pytest

from classifier.errors import UserError
from classifier.records import FlowRecord, Label, Verdict
from consoles import NOW, event
from proxy.console import review
from proxy.console.context import Console


def verdict(threat: float) -> Verdict:
    return Verdict(Label.SQLI, threat, {Label.SQLI: threat, Label.BENIGN: 1 - threat}, "r")


def test_reports_come_first_then_blocks_then_doubts(console: Console) -> None:
    event(console, "sure", action="flag", verdict=verdict(0.99))
    event(console, "doubtful", action="flag", verdict=verdict(0.52))
    event(console, "blocked")
    event(console, "once", action="flag")
    event(console, "often", action="flag")
    for name in ("once", "often", "often"):
        console.journal.report(name, "10.0.0.7")
    assert [item.event for item in review.waiting(console.journal)] == ["often", "once", "blocked", "doubtful", "sure"]
    assert review.count(console.journal) == (5, 2)
    assert [item.reported for item in review.waiting(console.journal)] == [2, 1, 0, 0, 0]


@pytest.mark.parametrize("name", ["e1", "flow-e1"])
def test_what_was_labelled_by_event_or_flow_is_done(console: Console, name: str) -> None:
    event(console, "e1")
    console.journal.report("e1", "10.0.0.7")
    review.say(console.journal, name, "benign")
    assert review.waiting(console.journal) == []
    assert review.count(console.journal) == (0, 0)
    assert console.journal.labels()[name].origin == "admin"
    assert console.journal.audits()[0][1:] == ("label", f"{name} is benign (console)")


@pytest.mark.parametrize(
    ("flow", "label"), [("e1", "nonsense"), ("", "benign"), ("x" * 300, "benign"), ("a\nb", "benign")]
)
def test_nonsense_is_refused(console: Console, flow: str, label: str) -> None:
    with pytest.raises(UserError):
        review.say(console.journal, flow, label)


def test_a_line_of_the_queue(console: Console) -> None:
    item = review.item(event(console, "e1", label=None, verdict=None))
    assert (item.url, item.client, item.label, item.threat) == (
        "http://shop.example/item?id=1%27--",
        "10.0.0.7",
        "",
        0.0,
    )
    assert item.time == NOW


def test_events_are_named_by_what_was_decided(console: Console) -> None:
    event(console, "e1")
    event(console, "e2", label=None)
    assert review.named(console.journal, ["e1", "e2", "e3"]) == {"e1": "sqli"}
    assert review.named(console.journal, []) == {}


def test_a_long_address_is_cut() -> None:
    assert len(review.address(FlowRecord(host="a.example", scheme="https", path="/" + "x" * 900))) == 301

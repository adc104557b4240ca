import msgspec
import pytest

from classifier.records import FlowRecord, Label, to_json
from consoles import NOW, capture, event, row
from proxy.console.context import Console
from proxy.console.event import Piece, detail, marked, passed, plain


def test_an_event_with_its_record(console: Console) -> None:
    found = event(console, "e1")
    body = msgspec.structs.replace(found.record, request_body=b"x" * 5000, request_headers=(("Host", "shop.example"),))
    event(console, "e1", record=body, rule="rule 1")
    console.journal.report("e1", "10.0.0.7")
    console.journal.label("e1", "benign")
    shown = detail(console, "e1")
    assert shown is not None
    assert (shown.rule, shown.said, shown.item.reported, shown.path) == ("rule 1", "benign", 1, "/item")
    assert shown.scores == [("sqli", 0.9), ("benign", 0.1)]
    assert shown.request == [("Host", "shop.example")] and len(shown.body) == 2002
    assert detail(console, "e2") is None


def test_a_flow_that_passed(console: Console) -> None:
    capture(console.status.state, row("a", label=Label.BENIGN))
    shown = passed(console, "a", NOW)
    assert shown is not None and (shown.item.action, shown.item.label) == ("allow", "benign")
    assert passed(console, "b", NOW) is None


@pytest.mark.parametrize(
    ("spans", "pieces"),
    [
        ([(2, 5)], [("1%", 0), ("27-", 4.0), ("-", 0)]),
        ([(0, 2), (1, 3)], [("1%", 4.0), ("2", 4.0), ("7--", 0)]),
        ([(0, 0)], [("1%27--", 0)]),
    ],
)
def test_spans_are_marked_in_their_part(spans: list[tuple[int, int]], pieces: list[tuple[str, float]]) -> None:
    flow = FlowRecord(host="a.example", method="GET", path="/x?1%27--")
    told = {
        "flow": msgspec.json.decode(to_json(flow)),
        "spans": [{"part": "query", "start": start, "end": end, "text": "", "weight": 4.0} for start, end in spans],
    }
    ((name, found),) = marked(told)
    assert (name, found) == ("query", [Piece(*piece) for piece in pieces])


def test_long_stretches_without_a_span_are_shortened() -> None:
    flow = FlowRecord(host="a.example", method="GET", path="/x?" + "a" * 1000 + "'--")
    spans = [{"part": "query", "start": 1000, "end": 1003, "text": "'--", "weight": 4.0}]
    ((_, (before, span)),) = marked({"flow": msgspec.json.decode(to_json(flow)), "spans": spans})
    assert len(before.text) == 243 and span.text == "'--"


def test_without_spans_nothing_is_marked() -> None:
    assert marked({"note": "the flow was not judged"}) == []


def test_an_event_for_programs(console: Console) -> None:
    event(console, "e1")
    told = plain(console, "e1")
    assert told is not None and told["event"] == "e1" and told["flow"]["host"] == "shop.example"
    assert plain(console, "e2") is None

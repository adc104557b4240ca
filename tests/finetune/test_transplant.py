import json
import random

import pytest

from classifier.records import ATTACKS, FlowRecord, Label
from finetune.transplant import outline, transplant

QUERY = FlowRecord(id="q", host="site.example", method="GET", path="/find?q=boots&page=2", client="10.0.0.1")
POSTED = FlowRecord(
    host="api.example",
    method="POST",
    path="/reports",
    request_headers=(("Content-Type", "application/json"),),
    request_body=b'{"sql": "select 1", "options": {"names": ["a", "b"]}, "limit": 5}',
)


def test_grafts_are_half_hostile_and_stay_requests_of_the_site() -> None:
    grafts = list(transplant([QUERY, POSTED], random.Random(0), 100))
    assert len(grafts) == 200
    assert {graft.label for graft in grafts[::2]} == set(ATTACKS)
    assert {graft.label for graft in grafts[1::2]} == {Label.BENIGN}
    assert {graft.record.host for graft in grafts} == {"site.example", "api.example"}
    assert all(graft.donor in (QUERY, POSTED) for graft in grafts)
    assert all(graft.record.label == graft.label and graft.record.kind == "http" for graft in grafts)
    assert all(graft.record not in (QUERY, POSTED) for graft in grafts)


def test_the_same_seed_gives_the_same_grafts() -> None:
    first, second = (list(transplant([QUERY], random.Random(3), 20)) for _ in range(2))
    assert first == second


def test_a_json_body_keeps_its_shape() -> None:
    bodies = [graft.record.request_body for graft in transplant([POSTED], random.Random(1), 60)]
    kept = [json.loads(body) for body in bodies if body.startswith(b'{"sql"')]
    assert len(kept) > 30
    assert all(body.keys() == {"sql", "options", "limit"} and body["limit"] == 5 for body in kept)
    assert any(body["sql"] != "select 1" for body in kept)
    assert any(body["options"]["names"] != ["a", "b"] for body in kept)


@pytest.mark.parametrize("body", [b"{broken", b"[1, 2]", b"{}", b"\x00"])
def test_a_body_without_a_text_is_no_obstacle(body: bytes) -> None:
    donor = FlowRecord(method="POST", path="/", request_body=body)
    assert len(list(transplant([donor], random.Random(0), 10))) == 20


@pytest.mark.parametrize("donors", [[], [FlowRecord(host="h", phase="connect")], [FlowRecord(kind="dns", qname="q")]])
def test_without_a_request_nothing_grows(donors: list[FlowRecord]) -> None:
    assert list(transplant(donors, random.Random(0), 10)) == []


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("1 OR 1=1", "7%20or%2042=42", True),
        ("<script>alert(1)</script>", "<SCRIPT>alert(99)</SCRIPT>", True),
        ("0x4a4b", "0xdead0", True),
        ("file:///etc/passwd", "file:///etc/shadow", False),
    ],
)
def test_an_outline_folds_away_spelling_and_numbers(one: str, other: str, same: bool) -> None:
    assert (outline(one) == outline(other)) is same

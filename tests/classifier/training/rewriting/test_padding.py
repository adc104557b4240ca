"""Padding has its size and stays before the values; parameters in pieces are what a server joins."""

import json
from random import Random
from urllib.parse import parse_qsl, unquote_plus

import pytest

from classifier.records import BODY_CAP, FlowRecord
from classifier.training.carriers import FORM
from classifier.training.rewriting.padding import (
    PLACES,
    SIZES,
    Place,
    overridden,
    padding,
    split_by_commas,
    split_by_comments,
    worn,
)

QUERY = FlowRecord(method="GET", path="/a?id=7&q=1%27+or+2")
FORMED = FlowRecord(
    method="POST", path="/a", request_headers=(("Content-Type", FORM),), request_body=b"id=7&q=1%27+or+2"
)
JSON = FlowRecord(
    path="/a", request_headers=(("Content-Type", "application/json"),), request_body=b'{"id": 7, "q": "1\' or 2"}'
)
VALUE = "1' or 2"


def _place(record: FlowRecord, place: Place) -> str:
    match place:
        case "query":
            return record.path.partition("?")[2]
        case "header":
            return dict(record.request_headers)["Cookie"]
        case _:
            return record.request_body.decode()


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("record", [QUERY, FORMED])
def test_padding_has_its_size_and_comes_first(place: Place, size: int, record: FlowRecord) -> None:
    before, after = padding(place, size * 1024)(record, Random(1))
    whole, short = _place(after, place), _place(before, place)
    at = unquote_plus(whole).index(VALUE)
    assert at >= size * 1024
    assert len(whole) - len(short) < size * 1024 * 1.1
    assert len(after.request_body) <= BODY_CAP
    assert VALUE in unquote_plus(short)


def test_padded_json_is_json() -> None:
    fields = json.loads(padding("json", 8192)(JSON, Random(1)).after.request_body)
    assert list(fields)[-2:] == ["id", "q"] and fields["q"] == VALUE
    empty = FlowRecord(path="/", request_body=b"{}")
    assert json.loads(padding("json", 2048)(empty, Random(1)).after.request_body)


def test_values_are_brought_to_the_place_first() -> None:
    before = padding("form", 100)(QUERY, Random(1)).before
    assert before.path == "/a" and parse_qsl(before.request_body.decode()) == [("id", "7"), ("q", VALUE)]
    assert json.loads(padding("json", 100)(QUERY, Random(1)).before.request_body) == {"id": "7", "q": VALUE}
    assert padding("query", 100)(FORMED, Random(1)).before.path == QUERY.path.replace("%27", "%27")


@pytest.mark.parametrize("place", PLACES)
def test_without_values_nothing_changes(place: Place) -> None:
    record = FlowRecord(path="/a", request_body=b"<x/>")
    before, after = padding(place, 2048)(record, Random(1))
    assert before is after is record


def test_nothing_is_pushed_beyond_what_is_looked_at() -> None:
    record = FlowRecord(path="/a", request_body=b"q=" + b"x" * 2048)
    before, after = padding("form", 15 * 1024)(record, Random(1))
    assert before is after


@pytest.mark.parametrize("record", [QUERY, FORMED, JSON])
def test_training_wears_short_padding(record: FlowRecord) -> None:
    after = worn(record, Random(1)).after
    assert VALUE in unquote_plus(after.path + after.request_body.decode())
    assert len(after.path) + len(after.request_body) > len(record.path) + len(record.request_body) + 90


@pytest.mark.parametrize(
    ("value", "wanted"),
    [("1,2,3", "q=1&q=2&q=3"), ("union+select+1%2C2", "q=union+select+1&q=2"), ("abc", "q=abc")],
)
def test_commas_join_the_pieces(value: str, wanted: str) -> None:
    after = split_by_commas(FlowRecord(path=f"/?q={value}"), Random(1)).after
    assert after.path == f"/?{wanted}"
    joined = ",".join(piece for _, piece in parse_qsl(after.path[2:]))
    assert joined == unquote_plus(value)


def test_comments_swallow_the_commas() -> None:
    after = split_by_comments(FORMED, Random(1)).after
    pieces = [value for name, value in parse_qsl(after.request_body.decode()) if name == "q"]
    assert ",".join(pieces) == "1'/*,*/or/*,*/2"


def test_the_last_of_a_name_is_the_value() -> None:
    after = overridden(QUERY, Random(1)).after
    assert dict(parse_qsl(after.path.partition("?")[2])) == {"id": "7", "q": VALUE}
    assert after.path.count("q=") == 2

"""Padded requests keep their values and stay what they are; the same seed pads alike."""

import json
from random import Random
from urllib.parse import unquote_plus

import pytest

from classifier.records import BODY_CAP, FlowRecord
from classifier.training.carriers import FORM
from classifier.training.rewriting.burying import SIZES, buried

VALUE = "1' or 2=2 -- x"
QUERY = FlowRecord(method="GET", path="/a?id=7&q=1%27+or+2%3D2+--+x")
FORMED = FlowRecord(
    method="POST",
    path="/a",
    request_headers=(("Content-Type", FORM),),
    request_body=b"id=7&q=1%27+or+2%3D2+--+x",
)
OBJECT = FlowRecord(
    method="POST",
    path="/a",
    request_headers=(("Content-Type", "application/json"),),
    request_body=b'{"id": 7, "q": "1\' or 2=2 -- x"}',
)
PARTS = FlowRecord(
    method="POST",
    path="/a",
    request_headers=(("Content-Type", "multipart/form-data; boundary=b"),),
    request_body=b'--b\r\nContent-Disposition: form-data; name="q"\r\n\r\n1\' or 2=2 -- x\r\n--b--\r\n',
)
COOKIE = FlowRecord(method="GET", path="/a", request_headers=(("Cookie", "id=7; q=1%27+or+2%3D2+--+x"),))
EVERY = (QUERY, FORMED, OBJECT, PARTS, COOKIE)


def _text(record: FlowRecord) -> str:
    headers = "\n".join(value for _, value in record.request_headers)
    return unquote_plus(f"{record.path}\n{record.request_body.decode()}\n{headers}")


@pytest.mark.parametrize("record", EVERY, ids=lambda each: each.request_body[:4].decode() or each.path)
def test_the_value_stays_and_more_comes_to_it(record: FlowRecord) -> None:
    longer = 0
    for seed in range(40):
        new = buried(record, Random(seed), ["summer dress", "it's <b>red</b>"])
        assert VALUE in _text(new)
        assert len(new.request_body) <= BODY_CAP
        longer += len(_text(new)) > len(_text(record)) + SIZES[0] // 2
    assert longer > 25


def test_padded_objects_and_forms_can_be_read() -> None:
    for seed in range(40):
        assert json.loads(buried(OBJECT, Random(seed)).request_body)["id"] == 7
        parts = buried(PARTS, Random(seed)).request_body.split(b"--b")
        assert parts[0] == b"" and parts[-1] == b"--\r\n"
        assert all(part.startswith(b"\r\nContent-Disposition: form-data; name=") for part in parts[1:-1])


def test_a_request_without_a_place_is_left_alone() -> None:
    bare = FlowRecord(method="GET", path="/a/b")
    assert all(buried(bare, Random(seed)) is bare for seed in range(10))


def test_the_same_seed_pads_alike() -> None:
    assert [buried(QUERY, Random(seed)) for seed in range(10)] == [buried(QUERY, Random(seed)) for seed in range(10)]

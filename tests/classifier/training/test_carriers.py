"""A value comes back out of every carrier it was put into."""

import json
import random
from collections.abc import Callable
from urllib.parse import unquote, unquote_plus

import pytest

from classifier.records import FlowRecord
from classifier.training import carriers

VALUE = '1\' or "a"=<b> & 50% + ü;x'
BASE = FlowRecord(
    method="GET",
    host="shop.example",
    path="/cart?id=7&page=2",
    request_headers=(("Cookie", "sid=1"), ("Accept", "*")),
)


def carried(
    place: Callable[[FlowRecord, str, random.Random], FlowRecord], seed: int, base: FlowRecord = BASE
) -> FlowRecord:
    return place(base, VALUE, random.Random(seed))


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("base", [BASE, FlowRecord(path="/x")])
def test_as_query(seed: int, base: FlowRecord) -> None:
    query = carried(carriers.as_query, seed, base).path.partition("?")[2]
    assert VALUE in [unquote_plus(pair.partition("=")[2]) for pair in query.split("&")]


@pytest.mark.parametrize("seed", range(8))
def test_as_form(seed: int) -> None:
    record = carried(carriers.as_form, seed)
    assert record.method == "POST" and ("Content-Type", carriers.FORM) in record.request_headers
    assert VALUE in [unquote_plus(pair.partition("=")[2]) for pair in record.request_body.decode().split("&")]


@pytest.mark.parametrize("seed", range(8))
def test_as_json(seed: int) -> None:
    body = json.loads(carried(carriers.as_json, seed).request_body)
    inner = [fields for fields in (body, *body.values()) if isinstance(fields, dict)]
    assert any(VALUE in fields.values() for fields in inner)


@pytest.mark.parametrize("seed", range(4))
def test_as_path(seed: int) -> None:
    path = carried(carriers.as_path, seed).path
    assert path.startswith("/") and VALUE in (unquote(path[1:]), path[1:].replace("%20", " "))


@pytest.mark.parametrize("seed", range(4))
def test_as_cookie_keeps_the_others(seed: int) -> None:
    cookies = dict(carried(carriers.as_cookie, seed).request_headers)["Cookie"].split("; ")
    assert "sid=1" in cookies
    assert VALUE in [unquote(cookie.partition("=")[2]) for cookie in cookies]


@pytest.mark.parametrize("seed", range(8))
def test_as_header(seed: int) -> None:
    values = [value for _, value in carried(carriers.as_header, seed).request_headers]
    assert any(VALUE in value or VALUE in unquote_plus(value) for value in values)


@pytest.mark.parametrize("seed", range(4))
def test_as_multipart(seed: int) -> None:
    record = carried(carriers.as_multipart, seed)
    assert VALUE.encode() in record.request_body
    boundary = dict(record.request_headers)["Content-Type"].partition("boundary=")[2]
    assert record.request_body.endswith(f"--{boundary}--\r\n".encode())


def test_posted_text_goes_only_where_people_post_text() -> None:
    rng = random.Random(0)
    assert all(carriers.carry(VALUE, rng, BASE, posted=True).request_body for _ in range(50))


def test_the_same_seed_gives_the_same_request() -> None:
    assert carriers.carry(VALUE, random.Random(5)) == carriers.carry(VALUE, random.Random(5))


def test_a_plain_request_has_a_path() -> None:
    assert all(carriers.blank(random.Random(seed)).path.startswith("/") for seed in range(20))

"""HTTP/1 messages, cut at any place, with gaps and oddities."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.importers.http1 import Message, Parser
from classifier.importers.reassembly import Gap

REPLIES = (
    b"HTTP/1.1 100 Continue\r\n\r\n"
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: a\r\n b\r\n\r\nhello"
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nTrailer: t\r\n\r\n"
    b"HTTP/1.1 204 No Content\r\n\r\n"
    b"HTTP/1.0 404 Not Found\r\n\r\nuntil the end"
)
REQUESTS = (
    b"GET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\n"
    b"\r\nPOST /p HTTP/1.1\nHost: x\nContent-Length: 3\n\nabc"
    b"GET /odd target with spaces HTTP/1.1\r\n\r\n"
    b"GET /old\r\n\r\n"
)


def parse(parts: list[bytes | Gap], *, replies: bool, asked: tuple[str, ...] = ()) -> list[Message]:
    parser = Parser(replies=replies)
    parser.asked.extend(asked)
    found = [message for number, part in enumerate(parts) for message in parser.feed(part, float(number))]
    return found + parser.finish()


def cut(raw: bytes, places: list[int]) -> list[bytes | Gap]:
    marks = [0, *sorted(place % len(raw) for place in places), len(raw)]
    return [raw[a:b] for a, b in pairwise(marks) if a < b]


# A segment must begin a message for it to be seen at all, so the first cut lies behind the first start line.
@given(st.lists(st.integers(16, 10_000), max_size=8))
def test_replies_cut_anywhere(places: list[int]) -> None:
    places = [place for place in places if place % len(REPLIES) >= 16]
    found = parse(cut(REPLIES, places), replies=True)
    assert [(m.status, bytes(m.raw), m.size) for m in found] == [
        (200, b"hello", 5), (200, b"abc0123456789", 13), (204, b"", 0), (404, b"until the end", 13),
    ]  # fmt: skip
    assert found[0].header("x") == "a b"


@given(st.lists(st.integers(16, 10_000), max_size=8))
def test_requests_cut_anywhere(places: list[int]) -> None:
    places = [place for place in places if place % len(REQUESTS) >= 16]
    found = parse(cut(REQUESTS, places), replies=False)
    assert [(m.method, m.target, m.version, m.body) for m in found] == [
        ("GET", "/a?b=c", "HTTP/1.1", b""), ("POST", "/p", "HTTP/1.1", b"abc"),
        ("GET", "/odd target with spaces", "HTTP/1.1", b""), ("GET", "/old", "", b""),
    ]  # fmt: skip


def test_a_reply_to_head_has_no_body() -> None:
    raw = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"
    assert len(parse([raw + raw], replies=True, asked=("HEAD", "HEAD"))) == 2


def test_chunked_wins_over_a_length() -> None:
    raw = b"POST / HTTP/1.1\r\nContent-Length: 50\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    raw += b"GET /smuggled HTTP/1.1\r\n\r\n"
    assert [m.target for m in parse([raw], replies=False)] == ["/", "/smuggled"]


def test_a_gap_in_a_body_is_counted_and_cuts_what_is_kept() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n"
    following = b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"
    first, second = parse([head + b"01234", Gap(10), b"56789" + following], replies=True)
    assert (bytes(first.raw), first.size, second.status) == (b"01234", 20, 201)


def test_after_a_gap_in_a_head_the_next_message_is_found() -> None:
    parts: list[bytes | Gap] = [b"GET /a HTTP/1.1\r\nHo", Gap(9), b"rest\r\n\r\n", b"GET /b HTTP/1.1\r\n\r\n"]
    assert [m.target for m in parse(parts, replies=False)] == ["/b"]


def test_a_capture_may_start_in_the_middle() -> None:
    assert [m.status for m in parse([b"tail of something", b"HTTP/1.1 200 OK\r\n\r\nx"], replies=True)] == [200]


def test_a_connect_leaves_the_rest_to_others() -> None:
    parser = Parser(replies=False)
    (message,) = parser.feed(b"CONNECT a:443 HTTP/1.1\r\n\r\n\x16\x03\x01", 0.0)
    assert (message.method, message.target, parser.tunnel, parser.rest()) == ("CONNECT", "a:443", True, b"\x16\x03\x01")


@pytest.mark.parametrize("coding", ["gzip", "br"])
def test_a_body_that_does_not_decode_stays_raw(coding: str) -> None:
    raw = f"HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: 3\r\n\r\nabc".encode()
    assert parse([raw], replies=True)[0].body == b"abc"


@given(st.lists(st.one_of(st.binary(max_size=80), st.builds(Gap, st.integers(1, 99))), max_size=6), st.booleans())
def test_any_bytes_are_survived(parts: list[bytes | Gap], replies: bool) -> None:
    start: list[bytes | Gap] = [REPLIES[:60] if replies else REQUESTS[:60]]
    parse(start + parts, replies=replies)

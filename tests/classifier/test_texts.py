"""What a record says, segment by segment."""

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier import texts as module
from classifier.decoding import MAX_WRAPPED, UNWRAPPED
from classifier.masking import mask
from classifier.records import FlowRecord
from classifier.texts import HEADERS_CAP, PATH_CAP, SEGMENTS, texts


def segment(record: FlowRecord, name: str) -> bytes:
    """The text of one segment of the masked record."""
    return texts(mask(record))[0][SEGMENTS.index(name)]


@pytest.mark.parametrize(
    ("record", "name", "shown"),
    [
        (FlowRecord(host="WWW.Example.com"), "host", b"example.com"),
        (FlowRecord(path="/a%2Fb?x=%3Cb%3E+c"), "query", b"x=<b> c"),
        (FlowRecord(path="/a%252e%252e/b"), "path", b"/a../b"),
        (FlowRecord(path="/a?x=1?y"), "query", b"x=1?y"),
        (FlowRecord(path="/a?x=1+2"), "raw", b""),
        (FlowRecord(path="/a%252e?x=%2531&y=2"), "raw", b"x=%2531&y=2\n/a%252e"),
        (FlowRecord(path="/a?x=%26lt;b"), "query", b"x=<b"),
        (FlowRecord(path="/..%c0%af.%u002e%5cb"), "path", b"/../..\\b"),
        (FlowRecord(path="/a?x=Li4vLi4vZXRjL3Bhc3N3ZA=="), "decoded", b"../../etc/passwd"),
        (FlowRecord(path="/Li4vLi4vZXRjL3Bhc3N3ZA/b"), "decoded", b"../../etc/passwd"),
        (FlowRecord(path="/a?x=0x3c7363726970743e"), "decoded", b"<script>"),
        (FlowRecord(request_body=b'{"a": "3c7363726970743e"}'), "decoded", b"<script>"),
        (FlowRecord(request_headers=(("X-A", "Li4vLi4vZXRjL3Bhc3N3ZA"),)), "decoded", b"../../etc/passwd"),
        (FlowRecord(path="/some/long-path/of-many-words/AndCamelCaseToo"), "decoded", b""),
        (FlowRecord(request_body=b"a=1+2&b=%2B"), "body", b"a=1 2&b=+"),
        (FlowRecord(request_body=b"1+2 = 3"), "body", b"1+2 = 3"),
        (FlowRecord(request_body=b'{"a": "\\u0027 \\"or\\" \\/etc\\/"}'), "body", b'{"a": "\' "or" /etc/"}'),
        (FlowRecord(request_body=b"<a>&lt;b &#x3e;</a>"), "body", b"<a><b ></a>"),
        (FlowRecord(request_headers=(("Referer", "/a?x=%3Cb"),)), "headers", b"/a?x=<b"),
        (FlowRecord(request_headers=(("Accept", "text/html"), ("Accept", "%27or"))), "headers", b"'or"),
        (FlowRecord(request_body=b"a=%27+or+1"), "body", b"a=' or 1"),
        (FlowRecord(request_body=b'{"a": "50%"}'), "body", b'{"a": "50%"}'),
        (
            FlowRecord(request_headers=(("Accept", "*/*"), ("Referer", "http://r.example/"))),
            "headers",
            b"http://r.example/",
        ),
        (FlowRecord(request_headers=(("Accept", "${jndi:x}"),)), "headers", b"${jndi:x}"),
        (
            FlowRecord(status=200, response_headers=(("content-type", "text/html"), ("Server", "s"))),
            "status",
            b"200\ntext/html",
        ),
        (FlowRecord(kind="dns", qname="q.example", qtype="TXT", answers=("v",)), "answers", b"v"),
        (FlowRecord(kind="websocket", message=b"hello"), "body", b"hello"),
        (FlowRecord(status=200, response_body=b"a" * 600), "reply", b"a" * 512),
        (FlowRecord(status=200, response_body=b"\xff\xd8\x00" + b"a" * 600), "reply", b"\xff\xd8\x00" + b"a" * 61),
    ],
)
def test_the_text_is_decoded_and_laid_out_by_segment(record: FlowRecord, name: str, shown: bytes) -> None:
    assert segment(record, name) == shown


def test_header_names_are_not_seen() -> None:
    first, other = FlowRecord(request_headers=(("X-One", "v"),)), FlowRecord(request_headers=(("X-Other", "v"),))
    assert texts(first) == texts(other)


def test_every_text_has_a_bound() -> None:
    record = FlowRecord(
        host="h" * 9000,
        path=f"/{'a' * 99_999}?{'b' * 99_999}",
        request_headers=(("X-A", "c d" * 99_999),),
        request_body=b"PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg== " * 300,
        response_body=b"e" * 9000,
        status=200,
    )
    found = dict(zip(SEGMENTS, texts(record)[0], strict=True))
    assert [len(found[name]) for name in ("host", "path", "query", "headers", "decoded", "reply")] == [
        *(256, PATH_CAP, PATH_CAP, HEADERS_CAP, UNWRAPPED, 512)
    ]


@pytest.mark.parametrize(
    ("record", "rounds"),
    [
        (FlowRecord(path="/a"), 0),
        (FlowRecord(path="/%41?b=1"), 1),
        (FlowRecord(path="/%41?b=%2541"), 2),
        (FlowRecord(request_body=b"a=%26%2360%3B"), 2),
    ],
)
def test_rounds_are_those_of_the_deepest_part(record: FlowRecord, rounds: int) -> None:
    assert texts(record)[1] == rounds


ODD = [
    "%41",
    "%2541",
    "%u0041",
    "%uzz",
    "&lt;",
    "&#39;",
    "\\u0041",
    "\\u00e9",
    "\\x",
    "\uff1c",
    "Li4vLi4vZXRjL3Bhc3N3ZA",
]
VALUES = st.lists(st.sampled_from([*ODD, *"a%& é", "text"]), min_size=1, max_size=4).map("".join)


@given(st.lists(VALUES, max_size=5))
def test_header_values_read_one_by_one_say_what_they_say_together(values: list[str]) -> None:
    headers = tuple((f"X-{index}", value) for index, value in enumerate(values))
    raws = tuple(value.encode() for value in values)
    assert module._read(headers) == module._read_together(raws)


def test_many_header_values_are_read_within_the_bounds() -> None:
    long = tuple(("X-A", f"{'ab c' * 100} {index}") for index in range(100))
    assert len(module._read(long).text) == HEADERS_CAP
    hiding = tuple(("X-A", b64encode(f"../../{index:04}/passwd".encode()).decode()) for index in range(100))
    assert len(module._read(hiding).wrapped) == MAX_WRAPPED

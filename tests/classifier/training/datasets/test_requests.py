"""Requests in the forms that data sets keep them in."""

import json
from typing import Any

import pytest

from classifier.importers import BadLine
from classifier.records import FlowRecord
from classifier.training.datasets import requests
from classifier.training.datasets.files import File, Found
from classifier.training.datasets.manifest import Source

SOURCE = Source(name="s", table="requests", pins=("o/n@c",), licence="-", format="http", paths=("*",))
HOST = (("Host", "a.example"),)


@pytest.mark.parametrize(
    ("item", "record"),
    [
        (
            {"method": "POST", "url": "/p?q=1", "headers": {"Host": "a.example"}, "data": "x=1"},
            FlowRecord(method="POST", host="a.example", path="/p?q=1", request_headers=HOST, request_body=b"x=1"),
        ),
        (
            {"method": "GET", "url": "https://a.example:8443/p", "headers": [["X", "1"], {"name": "Y", "value": "2"}]},
            FlowRecord(
                method="GET", scheme="https", host="a.example", port=8443, path="/p",
                request_headers=(("X", "1"), ("Y", "2")),
            ),
        ),
        ({"method": "GET", "url": "p"}, FlowRecord(method="GET", path="/p")),
    ],
)  # fmt: skip
def test_recorded(item: dict[str, Any], record: FlowRecord) -> None:
    assert list(requests.recorded(File("f", json.dumps([item]).encode()), SOURCE)) == [Found("f", record)]


@pytest.mark.parametrize(
    "item", [{"url": "/"}, "x", {"method": "GET", "url": 1}, {"method": "GET", "url": "/", "headers": 1}]
)
def test_what_is_no_recorded_request(item: Any) -> None:
    (bad,) = requests.recorded(File("f", json.dumps([item]).encode()), SOURCE)
    assert isinstance(bad, BadLine) and bad.where == "f#1"


@pytest.mark.parametrize(
    ("body", "sent"), [({"string": "a"}, b"a"), ({"base64_string": "YQ=="}, b"a"), ("a", b"a"), (None, b"")]
)
def test_cassettes(body: Any, sent: bytes) -> None:
    request = {"method": "put", "uri": "https://a.example/x", "headers": {"A": ["1", "2"]}, "body": body}
    content = json.dumps({"http_interactions": [{"request": request}, {}]}).encode()
    found, bad = requests.cassette(File("f", content), SOURCE)
    assert isinstance(found, Found) and isinstance(found.value, FlowRecord) and isinstance(bad, BadLine)
    assert (found.value.method, found.value.request_body) == ("PUT", sent)
    assert found.value.request_headers == (("A", "1"), ("A", "2"))


def test_what_is_no_cassette() -> None:
    with pytest.raises(ValueError, match="has no http_interactions"):
        list(requests.cassette(File("f", b"{}"), SOURCE))


@pytest.mark.parametrize(
    ("line", "status", "path", "headers"),
    [
        ('1.2.3.4 - - [1/Jan/2020:0:0:0 +0] "GET /a?b HTTP/1.1" 200 12', "200", "/a?b", ()),
        (
            '::1 - joe [x] "POST /a b HTTP/1.0" 404 - "http://r.example/" "Agent \\" 1"',
            "404",
            "/a b",
            (("Referer", "http://r.example/"), ("User-Agent", 'Agent \\" 1')),
        ),
        ('h - - [x] "GET /old" 301 0 "-" "-"', "301", "/old", ()),
    ],
)
def test_access_logs(line: str, status: str, path: str, headers: tuple[tuple[str, str], ...]) -> None:
    (found,) = requests.access(File("f", line.encode() + b"\n\n"), SOURCE)
    assert isinstance(found, Found) and isinstance(found.value, FlowRecord)
    assert (found.original, found.value.path, found.value.request_headers) == (status, path, headers)


def test_what_is_no_line_of_a_log() -> None:
    assert list(requests.access(File("f", b"\nhello\n"), SOURCE)) == [BadLine("f:2", "no line of an access log")]


def test_written_requests_follow_each_other() -> None:
    content = "GET http://a.example/x y HTTP/1.1\r\nA: 1\r\n\r\n\r\nPOST /p HTTP/1.1\nHost: b.example\n\nk=v\n\n"
    first, second = (found.value for found in requests.written(File("f", content.encode()), SOURCE))  # type: ignore[union-attr]
    assert first == FlowRecord(
        method="GET", scheme="http", host="a.example", port=80, path="/x y", request_headers=(("A", "1"),)
    )
    assert second == FlowRecord(
        method="POST", host="b.example", path="/p", request_headers=(("Host", "b.example"),), request_body=b"k=v"
    )


def test_what_is_no_written_request() -> None:
    with pytest.raises(ValueError, match="holds no request"):
        list(requests.written(File("f", b"hello"), SOURCE))
    with pytest.raises(ValueError, match="no request line"):
        requests.parse("")

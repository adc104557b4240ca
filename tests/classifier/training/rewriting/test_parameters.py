"""Values are found, changed and encoded again in every place."""

import json
from collections.abc import Callable

import pytest

from classifier.records import FlowRecord
from classifier.training.carriers import FORM
from classifier.training.rewriting.parameters import changed, content_type, is_form, json_body

MULTIPART = "multipart/form-data; boundary=B"


def _posted(body: str, kind: str) -> FlowRecord:
    return FlowRecord(method="POST", path="/x", request_headers=(("Content-Type", kind),), request_body=body.encode())


def shout(value: str) -> str:
    return value.upper()


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/a?q=b%20c&d=e", "/a?q=B+C&d=E"),
        ("/a?q=x%27y&d=e", "/a?q=X%27Y&d=e"),  # where one has the signs of an attack, only that one
        ("/a?<b>", "/a?%3CB%3E"),
        ("/a?q=1&r=", "/a?q=1&r="),
        ("/a/b", "/a/b"),
        ("/a/b'c/d", "/a/B'C/D"),
        ("/a/../etc/x", "/a/../ETC/X"),
        ("/a/b%20c", "/a/B%20C"),
        ("/a?q=%c0%ae'x", "/a?q=%C0%AE%27X"),
    ],
)
def test_paths_and_queries(path: str, wanted: str) -> None:
    assert changed(FlowRecord(path=path), shout).path == wanted


def test_what_is_encoded_for_a_url_goes_in_as_it_is() -> None:
    def encode(value: str) -> str:
        return "%41" + value

    assert changed(FlowRecord(path="/?q=b"), encode, "url").path == "/?q=%41b"
    assert changed(FlowRecord(path="/?q=b"), encode).path == "/?q=%2541b"


@pytest.mark.parametrize(
    ("body", "kind", "wanted"),
    [
        ("a=b+c&d=e", FORM, "a=B+C&d=E"),
        (
            '{"a": "b", "n": 1, "in": ["c", {"d": "e"}]}',
            "application/json",
            '{"a": "B", "n": 1, "in": ["C", {"d": "E"}]}',
        ),
        ('{"a":"b\\n"}', "", '{"a":"B\\n"}'),
        (
            '--B\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--B--\r\n',
            MULTIPART,
            '--B\r\nContent-Disposition: form-data; name="a"\r\n\r\nB\r\n--B--\r\n',
        ),
        (
            '--B\r\nContent-Disposition: form-data; name="a"; filename="f"\r\n\r\nb\r\n--B--\r\n',
            MULTIPART,
            '--B\r\nContent-Disposition: form-data; name="a"; filename="f"\r\n\r\nb\r\n--B--\r\n',
        ),
        ("<a>b</a>", "text/xml", "<a>b</a>"),
    ],
)
def test_bodies(body: str, kind: str, wanted: str) -> None:
    assert changed(_posted(body, kind), shout).request_body.decode() == wanted


def test_escapes_for_json_go_in_as_they_are() -> None:
    found = changed(_posted('{"a":"b"}', "application/json"), lambda value: "\\u0062", "json").request_body
    assert found == b'{"a":"\\u0062"}'
    assert json.loads(found) == {"a": "b"}


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("User-Agent", "Mozilla/5.0 (X11; Linux) (KHTML, like Gecko)", "Mozilla/5.0 (X11; Linux) (KHTML, like Gecko)"),
        ("User-Agent", "x<y>", "X<Y>"),
        ("X-Api", "a'b", "A'B"),
        ("Accept", "a'b", "a'b"),
        ("Referer", "https://a.example/p?q=b'c", "https://a.example/p?q=B%27C"),
        ("Cookie", "sid=abc; n=a%27b", "sid=abc; n=A%27B"),
    ],
)
def test_headers(name: str, value: str, wanted: str) -> None:
    assert changed(FlowRecord(path="/", request_headers=((name, value),)), shout).request_headers[0][1] == wanted


def test_headers_stay_on_one_line() -> None:
    record = FlowRecord(path="/", request_headers=(("X-A", "a<b"),))
    assert changed(record, lambda value: f"{value}\r\n\0x").request_headers == (("X-A", "a<b   x"),)


@pytest.mark.parametrize("change", [lambda value: value, str.strip])
def test_a_record_without_a_change_is_the_record(change: Callable[[str], str]) -> None:
    record = _posted("a=b&c=%64", FORM)
    assert changed(record, change) is record


def test_kinds_of_bodies() -> None:
    assert content_type(_posted("", "Text/XML; charset=x")) == "text/xml"
    assert is_form(_posted("a=b", FORM)) and is_form(_posted("a=b", "")) and not is_form(_posted("a", ""))
    assert json_body(_posted("[1]", "")) == [1]
    assert json_body(_posted("{", "")) is None
    assert json_body(_posted("a=b", "")) is None

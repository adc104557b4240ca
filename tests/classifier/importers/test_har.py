"""HTTP archives, whatever a browser leaves out."""

import base64
import io
import json
from typing import Any

import pytest

from classifier.importers import BadLine, har
from classifier.records import BODY_CAP, FlowRecord


def read(*entries: Any) -> list[FlowRecord | BadLine]:
    raw = json.dumps({"log": {"entries": list(entries)}}).encode()
    return list(har.read(io.BufferedReader(io.BytesIO(raw)), "f.har"))


def one(request: dict[str, Any], **fields: Any) -> FlowRecord:
    (found,) = read({"request": {"url": "https://a.example/p?q=1", "method": "GET"} | request} | fields)
    assert isinstance(found, FlowRecord)
    return found


def test_a_whole_entry() -> None:
    record = one(
        {"method": "POST", "httpVersion": "h2", "postData": {"text": "a=1"}, "bodySize": 3,
         "headers": [{"name": ":path", "value": "/p"}, {"name": "Accept", "value": "*/*"}]},
        startedDateTime="2026-01-31T00:00:00.500Z", time=250,
        response={"status": 200, "headers": [["Content-Type", "text/plain"]], "bodySize": -1,
                  "content": {"size": 7, "encoding": "base64", "text": base64.b64encode(b"\x00\xffhello").decode()}},
    )  # fmt: skip
    assert record == FlowRecord(
        id="f.har#1", kind="http", phase="response", time=1769817600.5, host="a.example", port=443, scheme="https",
        method="POST", path="/p?q=1", http_version="HTTP/2.0", request_headers=(("Accept", "*/*"),),
        request_body=b"a=1", status=200, response_headers=(("Content-Type", "text/plain"),),
        response_body=b"\x00\xffhello", bytes_up=3, bytes_down=7, seconds=0.25,
    )  # fmt: skip


def test_a_bare_entry_is_a_request() -> None:
    assert one({}) == FlowRecord(id="f.har#1", host="a.example", port=443, scheme="https", method="GET", path="/p?q=1")


def test_a_blocked_request_has_no_response() -> None:
    assert one({}, response={"status": 0, "content": {}, "headers": []}).phase == "request"


def test_form_fields_stand_for_a_missing_body() -> None:
    sent = one({"postData": {"params": [{"name": "a", "value": "1 2"}, {"name": "b"}]}})
    assert sent.request_body == b"a=1+2&b="


def test_bodies_are_cut() -> None:
    record = one({"postData": {"text": "x" * 100_000}})
    assert len(record.request_body) == BODY_CAP and record.bytes_up == 100_000


@pytest.mark.parametrize(
    ("told", "wanted"),
    [
        ("HTTP/1.1", "HTTP/1.1"),
        ("http/2.0", "HTTP/2.0"),
        ("h3", "HTTP/3"),
        ("HTTP/2", "HTTP/2.0"),
        ("", ""),
        (None, ""),
    ],
)
def test_versions_have_one_spelling(told: str, wanted: str) -> None:
    assert one({"httpVersion": told}).http_version == wanted


@pytest.mark.parametrize(
    "entry", [None, {}, {"request": {}}, {"request": {"url": 1}}, {"request": {"url": "x"}, "startedDateTime": "soon"},
              {"request": {"url": "x", "headers": [{}]}}]
)  # fmt: skip
def test_a_bad_entry_costs_only_itself(entry: Any) -> None:
    bad, good = read(entry, {"request": {"url": "https://a.example/"}})
    assert isinstance(bad, BadLine) and bad.where == "f.har#1"
    assert isinstance(good, FlowRecord) and good.id == "f.har#2"


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'{"log": 1}', b'{"log": {"entries": {}}}', b"\xff\xfe{}"])
def test_what_is_no_archive_is_one_reason(raw: bytes) -> None:
    (found,) = har.read(io.BufferedReader(io.BytesIO(raw)), "f.har")
    assert isinstance(found, BadLine) and "not a HAR file" in found.reason

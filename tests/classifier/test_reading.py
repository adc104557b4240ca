"""What is read again, how, and that ordinary requests are left alone."""

from urllib.parse import quote_plus

import numpy as np
import pytest

from classifier.features import AGAIN, SEGMENTS, extract
from classifier.masking import mask
from classifier.reading import LONG, again
from classifier.records import FlowRecord
from classifier.texts import texts

QUERY, BODY, HEADERS = (SEGMENTS.index(name) for name in ("query", "body", "headers"))


def reread(record: FlowRecord) -> list[bytes] | None:
    return again(texts(mask(record))[0])


def asked(query: str) -> FlowRecord:
    return FlowRecord(method="GET", host="shop.example", path=f"/list?{query}")


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        ("1/* a remark */union/**/select 2", "1 union select 2"),
        ("1 /*!50000union*/ select 2", "1 union select 2"),
        ("1 -- a remark\nunion select 2", "1 union select 2"),
        ("<img <!-- a remark --> src=x>", "<img src=x>"),
        ("1\vunion\fselect\r2", "1 union select 2"),
        ("1\u00a0union\u3000select\u20032", "1 union select 2"),
        ("; c''at$IFS$9/etc/passwd", "; cat /etc/passwd"),
        ('; c"a"t /etc/passwd', "; cat /etc/passwd"),
        ("; ca$@t ${IFS}/etc/passwd", "; cat /etc/passwd"),
        ("; ca\\t /etc/passwd", "; cat /etc/passwd"),
        (";{cat,/etc/passwd}", ";cat /etc/passwd"),
        ("'un'+'ion', 'sel'||'ect'", "'union', 'select'"),
    ],
)
def test_what_is_written_oddly_is_read_as_it_works(value: str, seen: str) -> None:
    found = again([b""] * 6 + [f"q={value}".encode()] + [b""] * 5)
    assert found and found[QUERY].decode() == f"q={seen}"


def test_parameters_of_one_name_are_joined() -> None:
    found = reread(asked("id=1/*&page=2&id=*/or/*&id=*/1=1"))
    assert found and found[QUERY] == b"id=1 or 1=1&page=2"


@pytest.mark.parametrize(
    "wrapped", ["PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==", "3c7363726970743e616c6572742831293c2f7363726970743e"]
)
def test_base64_and_hexadecimal_are_read_in_their_place(wrapped: str) -> None:
    found = reread(asked(f"page=2&q={quote_plus(wrapped)}&sort=1"))
    assert found and b"page=2&q=<script>alert(0)</script>" in found[QUERY] and found[QUERY].endswith(b"&sort=1")


def test_padding_is_cut_short_and_the_attack_is_not() -> None:
    padding = "when morning came they walked down to the harbour " * 60
    found = reread(asked(f"a={quote_plus(padding)}&q={quote_plus("' or 1=1 --")}"))
    assert found and b"' or 1=1" in found[QUERY] and len(found[QUERY]) < 200


def test_words_of_an_injection_stay_within_plain_text() -> None:
    text = b"a word and another " * 60 + b" union select name from users " + b"a word and another " * 60
    found = again([b""] * 10 + [text, b""])
    assert found and b"union select name from users" in found[BODY] and len(found[BODY]) < 300


@pytest.mark.parametrize(
    "record",
    [
        asked("q=blue+shoes&page=2&sort=price"),
        asked("ids[]=1&names[]=2"),
        FlowRecord(
            host="api.example", path="/v1", request_body=b'{"name": "O\'Brien", "tags": ["a", "b"], "note": ""}'
        ),
        FlowRecord(host="www.example", path="/", request_headers=(("User-Agent", "Mozilla/5.0 (X11; Linux x86_64)"),)),
        FlowRecord(host="www.example", path="/", request_body=b"first line\r\nsecond line - with a dash\n"),
        FlowRecord(host="www.example", phase="connect"),
        FlowRecord(kind="dns", qname="q.example", qtype="A"),
    ],
)
def test_ordinary_requests_are_not_read_again(record: FlowRecord) -> None:
    assert reread(record) is None


def test_long_text_that_is_not_plain_is_not_read_again() -> None:
    assert reread(FlowRecord(host="a.example", request_body=b"<p class='x'>(word)</p>" * (LONG // 16))) is None


def test_the_second_reading_stands_in_windows_of_its_own() -> None:
    plain, odd = asked("q=1+or+1=1"), asked("q=1/**/or/**/1=1")
    once, twice = extract(plain).tokens, extract(odd).tokens
    assert (len(once), len(twice)) == (1, 2)
    text = [bytes((row[row > 0] % 256).astype(np.uint8)) for row in twice]
    assert b"1/**/or/**/1=1" in text[0] and b"1 or 1=1" in text[1]


def test_it_never_adds_more_than_its_windows() -> None:
    body = b"a=1/**/or/**/1=1 (x)&" * 700
    windows = extract(FlowRecord(request_body=body)).tokens
    assert len(windows) <= 1 + -(-len(body) // 768) + AGAIN

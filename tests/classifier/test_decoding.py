"""Escapes are peeled to a fixed point, and base64 and hexadecimal values say what they hold."""

import base64
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.decoding import EXCERPT, MAX_DECODE, MAX_WRAPPED, decode, excerpt, is_plain, nested, unwrapped, wrapped


@pytest.mark.parametrize(
    ("raw", "text", "rounds", "odd"),
    [
        ("plain text", "plain text", 0, False),
        ("50% off & more \\o/", "50% off & more \\o/", 0, False),
        ("%3Cb%3e", "<b>", 1, False),
        ("%253Cb", "<b", 2, True),
        ("%25253Cb", "<b", 3, True),
        ("%2%35", "%", 2, True),
        ("%u003c%U003E", "<>", 1, True),
        ("%uFF1C", "<", 1, True),
        ("..%c0%af..%C1%9c", "../..\\", 1, True),
        ("%e0%80%af%f0%80%80%af%c1%1c%c0/", "//\\/", 1, True),
        ("%C1vila", "\udcc1vila", 1, False),
        ("&lt;b&gt;", "<b>", 1, True),
        ("a=1&lt=2&gt;", "a=1&lt=2>", 1, True),
        ("&#60;&#060&#x3C;&#X003c", "<<<<", 1, True),
        ("&LT;javascript&colon;alert&lpar;1&rpar;", "<javascript:alert(1)", 1, True),
        ("&amp;lt;", "<", 2, True),
        ("%26lt%3B", "<", 2, True),
        ("\\u003c\\x3E\\u{0000027}", "<>'", 1, True),
        ("\\u00e9", "é", 1, False),
        ("%5Cu0027", "'", 2, True),
        ("\uff1c\uff42\uff1e\u2215\u2216", "<b>/\\", 0, False),
        ("日本\uff01é", "日本!é", 0, False),
    ],
)
def test_escapes_are_peeled(raw: str, text: str, rounds: int, odd: bool) -> None:
    assert decode(raw.encode()) == (text.encode(errors="surrogateescape"), rounds, odd)


def test_json_strings_are_read_as_json() -> None:
    assert decode(rb'"a\"b\/c\\d\n"', json=True).text == b'"a"b/c\\d\n"'
    assert decode(rb'"\u003c"', json=True) == (b'"<"', 1, True)
    assert decode(rb'"{\"a\": \"\\u0027\"}"', json=True).text == b'"{"a": "\'"}"'


@given(st.text(max_size=40), st.integers(0, MAX_DECODE))
def test_any_nesting_up_to_the_bound_is_undone(text: str, depth: int) -> None:
    written = text.replace("%", "").replace("&", "").replace("\\", "")
    plain = decode(written.encode()).text
    for _ in range(depth):
        written = quote(written, safe="")
    assert decode(written.encode()).text == plain


@given(st.binary(max_size=80))
def test_any_bytes_can_be_decoded(raw: bytes) -> None:
    for found in (decode(raw), decode(raw, json=True)):
        assert 0 <= found.rounds <= MAX_DECODE
    assert len(excerpt(raw)) <= EXCERPT and isinstance(nested(wrapped(raw)), list)


def test_an_excerpt_shows_the_first_odd_place() -> None:
    assert excerpt(b"a" * 500 + b"%2541" + b"b" * 500) == b"a" * 32 + b"%2541" + b"b" * 91
    assert excerpt(b"a" * 500) == b"a" * 128


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (base64.b64encode(b"../../etc/passwd"), [b"../../etc/passwd"]),
        (base64.urlsafe_b64encode(b"<?><?>abc"), [b"<?><?>abc"]),
        (b"/a/" + base64.b64encode(b"' or 1=1 --") + b"/b", [b"' or 1=1 --"]),
        (base64.b64encode(base64.b64encode(b"/bin/cat a")), [b"L2Jpbi9jYXQgYQ==", b"/bin/cat a"]),
        (base64.b64encode(b"id=%27or 1"), [b"id='or 1"]),
        (b"x=0x2f62696e2f7368;y=3c7363726970743e", [b"/bin/sh", b"<script>"]),
        (b"9f86d081884c7d659a2feaa0c55ad015", []),
        (b"2024010203040506 3031323334353637", []),
        (b"/some/long-path/of-many-words getUserProfileInformation", []),
        (base64.b64encode(bytes(range(20))), []),
        (b"", []),
    ],
)
def test_values_that_hold_text_are_unwrapped(text: bytes, found: list[bytes]) -> None:
    assert nested(wrapped(text)) == found


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        (b"a=1&b=" + base64.b64encode(b"' or 1=1 --") + b"&c=2", b"a=1&b=' or 1=1 --=&c=2"),
        (b"x=0x2f62696e2f7368;y=3c7363726970743e", b"x=/bin/sh;y=<script>"),
        (b"9f86d081884c7d659a2feaa0c55ad015 a-plain-text", b"9f86d081884c7d659a2feaa0c55ad015 a-plain-text"),
        (b"", b""),
    ],
)
def test_what_values_hold_is_put_in_their_place_and_their_padding_stays(text: bytes, plain: bytes) -> None:
    assert unwrapped(text) == plain


def test_of_many_wrapped_values_the_first_ones_are_read() -> None:
    values = [base64.b64encode(b"value %d is text" % index) for index in range(2 * MAX_WRAPPED)]
    assert wrapped(b" ".join(values)) == [b"value %d is text" % index for index in range(MAX_WRAPPED)]


@pytest.mark.parametrize(
    ("raw", "odd"),
    [
        (rb'["\u00e9\u65e5"]', False),
        (rb'["\u003c"]', True),
        (rb'["\u007f"]', False),
        (rb'["\x7e"]', True),
        (rb'["\u{003c}"]', True),
        (rb'["\u{e9}"]', False),
    ],
)
def test_escapes_of_printable_ascii_are_odd(raw: bytes, odd: bool) -> None:
    assert decode(raw, json=True).odd is odd


@given(st.text(st.sampled_from("%&\\ab é!"), max_size=6))
def test_a_plain_text_is_its_own_reading(text: str) -> None:
    raw = text.encode()
    assert is_plain(raw) is (text.isascii() and not set(text) & set("%&\\"))
    assert not is_plain(raw) or decode(raw, json=True) == (raw, 0, False)

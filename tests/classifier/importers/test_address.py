"""Addresses as they are written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.importers.address import Address, authority, split


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("https://A.example/p?q=1#frag", Address("https", "a.example", 443, "/p?q=1")),
        ("http://a.example:8080", Address("http", "a.example", 8080, "/")),
        ("http://a.example?q", Address("http", "a.example", 80, "/?q")),
        ("http://user:secret@a.example/", Address("http", "a.example", 80, "/")),
        ("http://[2001:db8::1]:81/x", Address("http", "2001:db8::1", 81, "/x")),
        ("//a.example/x", Address("", "a.example", 0, "/x")),
        ("/only/a?path=//x", Address("", "", 0, "/only/a?path=//x")),
        ("", Address("", "", 0, "")),
    ],
)
def test_urls_are_taken_apart(url: str, wanted: Address) -> None:
    assert split(url) == wanted


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ("a.example", ("a.example", 0)),
        ("a.example:443", ("a.example", 443)),
        ("a.example:", ("a.example", 0)),
        ("[::1]:80", ("::1", 80)),
        ("[::1]", ("::1", 0)),
        ("::1", ("::1", 0)),
        ("a:99999999", ("a", 65_535)),
        ("", ("", 0)),
    ],
)
def test_host_and_port(written: str, wanted: tuple[str, int]) -> None:
    assert authority(written) == wanted


@given(st.text(max_size=60))
def test_any_text_has_parts(text: str) -> None:
    assert 0 <= split(text).port <= 65_535
    assert 0 <= authority(text)[1] <= 65_535

"""Secrets that are told by their looks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.tokens import luhn, mask_tokens


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("http://bob:pw9@site/x", "http://xxx:xx0@site/x"),
        ("/pay?n=4111-1111-1111-1111", "/pay?n=1000-0000-0000-0000"),
        ("/pay?n=4111+1111+1111+1111&m=12", "/pay?n=1000+0000+0000+0000&m=12"),
        (
            "/talk-of-the-town-about-some-long-debate_n_668cff54e4b08f09c1fb172d",
            "/talk-of-the-town-about-some-long-debate_n_000xxx00x0x00x00x0xx000x",
        ),
        ("/reset/d41d8cd98f00b204e9800998ecf8427e", "/reset/x00x0xx00x00x000x0000000xxx0000x"),
        ("key AKIAIOSFODNN7EXAMPLE end", "key xxxxxxxxxxxx0xxxxxxx end"),
        (
            "-----BEGIN RSA PRIVATE KEY-----\nMIIab1\n-----END RSA PRIVATE KEY-----",
            "-----BEGIN RSA PRIVATE KEY-----\nxxxxx0\n-----END RSA PRIVATE KEY-----",
        ),
        ("visit https://bob:pw9@h/ or mail ann@h.org", "visit https://xxx:xx0@h/ or mail xxx@h.org"),
        ("card 5500 0055 5555 5559 12/26", "card 1000 0000 0000 0000 12/26"),
        (r'{"a":"https:\/\/bob:pw9@h\/"}', r'{"a":"https:\/\/xxx:xx0@h\/"}'),
        ("5500.0055.5555.5559", "1000.0000.0000.0000"),
        ('{"n":4111111111111111}', '{"n":1000000000000000}'),
        ("token ghp_abcdefghij0123456789ABCDEF", "token xxx_xxxxxxxxxx0000000000xxxxxx"),
        ("xoxb-1234567890-ab", "xxxx-0000000000-xx"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMiJ9.dozjgNryP4J3", "xxxxxxxxxxxxxxx0xxx0.xxxxxxxxxxxxxxx0.xxxxxxxxx0x0"),
        ("ann.lee+x@example.com", "xxx.xxx+x@example.com"),
        ("id 550e8400-e29b-41d4-a716-446655440000", "id 000x0000-x00x-00x0-x000-000000000000"),
    ],
)
def test_what_looks_like_a_secret_becomes_symbols(text: str, masked: str) -> None:
    assert mask_tokens(text) == masked
    assert mask_tokens(masked) == masked


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plain words, 2024-01-02, +49 30 1234567",
        "n 4111111111111112",
        "1712345678901",
        "https://h/@user",
        "AKIA is short",
        "-----BEGIN PUBLIC KEY-----\nMIIab1\n-----END PUBLIC KEY-----",
        "/getUserProfileInformation/1234567",
        "Li4vLi4vLi4vZXRjL3Bhc3N3ZA==",
        "0x7873716C696E6A626567696E",
    ],
)
def test_what_only_resembles_a_secret_stays(text: str) -> None:
    assert mask_tokens(text) == text


CARDS = ["4111111111111111", "5555555555554444", "378282246310005", "6011111111111117", "4222222222222"]


@pytest.mark.parametrize("number", CARDS)
def test_the_check_digit_notices_every_single_wrong_digit(number: str) -> None:
    assert luhn(number)
    for place, digit in enumerate(number):
        for other in set("0123456789") - {digit}:
            assert not luhn(number[:place] + other + number[place + 1 :])


PIECES = st.sampled_from(
    "4111 1111 - . @ // bob:pw9@h AKIAIOSFODNN7EXAMPLE 0a1b2c3d4e5f eyJhbGciOi \\n / = PRIVATE".split()
)


@given(st.lists(PIECES | st.text(max_size=5), max_size=20).map("".join))
def test_any_text_keeps_its_length(text: str) -> None:
    assert len(mask_tokens(text)) == len(text)

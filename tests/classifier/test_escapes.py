"""How a rule sees through escapes."""

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.escapes import ESCAPE, LETTER, decoded, has_escape, through


@pytest.mark.parametrize(
    ("escape", "plain"),
    [
        *(("%41", "A"), ("%2541", "A"), ("%252541", "A"), ("%u0041", "A")),
        *((r"\u0041", "A"), (r"\x41", "A"), ("&#65;", "A"), ("&#x41", "A"), ("&#1114112;", "x")),
        *(("&quot;", '"'), ("&lt;", "<"), ("&sol;", "/")),
    ],
)
def test_a_rule_sees_the_character_that_an_escape_stands_for(escape: str, plain: str) -> None:
    assert ESCAPE.fullmatch(escape)
    seen: list[str] = []

    def look(text: str) -> str:
        seen.append(text)
        return text

    assert through(f"-{escape}-", look) == f"-{escape}-"
    assert seen == [f"-{plain}-"]


@pytest.mark.parametrize("text", ["100% sure", r"a\nb", "&nbsp;", "%4", "&#;", r"\\\\"])
def test_what_is_no_escape_is_none(text: str) -> None:
    assert ESCAPE.search(text) is None and not has_escape(text)


SIGNS = st.sampled_from([*"%&#xuX;\\2541abg", "%25", "\\u", "&#", "quot;", "lt;", "apos", "sol;"])


@given(st.lists(SIGNS, max_size=12).map("".join))
def test_an_escape_is_there_if_the_pattern_finds_one(text: str) -> None:
    assert has_escape(text) is (ESCAPE.search(text) is not None)


@pytest.mark.parametrize(
    ("text", "change", "changed"),
    [
        ("a%41%27b", str.upper, "A%41%27B"),
        ("%62%2562%u0062", str.upper, "%42%2542%u0042"),
        (r"\u0062\x62", str.upper, r"\u0042\x42"),
        ("&#98;&#x62;", str.upper, "&#66;&#x42;"),
        ("%41b%41", lambda text: text.replace("b", "c"), "%41c%41"),
    ],
)
def test_what_a_rule_changes_is_escaped_as_before(text: str, change: Callable[[str], str], changed: str) -> None:
    assert through(text, change) == changed


@pytest.mark.parametrize(
    ("escape", "letter"),
    [
        ("%41", True),
        ("%2530", True),
        (r"\u00e9", True),
        ("&#97;", True),
        ("%27", False),
        (r"\x3c", False),
        ("&#60;", False),
    ],
)
def test_escapes_of_letters_and_digits_are_told_from_those_of_signs(escape: str, letter: bool) -> None:
    assert (re.fullmatch(LETTER, escape) is not None) is letter


def test_an_escape_is_read_as_its_character() -> None:
    assert ESCAPE.sub(decoded, r"%3C&#98;\u003e") == "<b>"

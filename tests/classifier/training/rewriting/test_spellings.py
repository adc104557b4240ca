"""Each spelling decodes back to what it was made from."""

import base64
import html
import json
import re
import unicodedata
from random import Random
from urllib.parse import unquote

import pytest

from classifier.training.rewriting import spellings as s

VALUE = '1\' uNion <b a="x"> &amp; ü 50%'


def spelled(spell: s.Spell, value: str = VALUE, seed: int = 1) -> str:
    return spell(value, Random(seed))


def _wide(text: str) -> str:
    return re.sub(r"%u([0-9a-f]{4})", lambda found: chr(int(found[1], 16)), text)


@pytest.mark.parametrize(
    ("change", "wanted"),
    [(s.loud, "SELECT 0x1f NAME"), (s.alternating, "sElEcT 0x1f nAmE"), (s.ended, "SelecT 0x1f NamE")],
)
def test_letter_case_changes_letters_alone(change: s.Spell, wanted: str) -> None:
    assert spelled(s.letters(change), "select 0x1f name") == wanted


@pytest.mark.parametrize("change", [s.at_random, s.loud, s.alternating, s.ended])
def test_letter_case_keeps_the_words(change: s.Spell) -> None:
    assert spelled(s.letters(change)).casefold() == VALUE.casefold()


def test_letter_case_leaves_escapes_alone() -> None:
    assert spelled(s.letters(s.loud), r"%2f &lt; \u00e9 \n a") == r"%2f &lt; \u00e9 \n A"


def test_spaces_are_written_as_any_of_the_kinds() -> None:
    assert re.fullmatch(r"a[\t\n]b[\t\n]c", spelled(s.spaced("\t", "\n"), "a b c"))


@pytest.mark.parametrize(
    ("spell", "times"),
    [
        (s.percent_all, 1),
        (s.percent_some, 1),
        (s.percent_letters, 1),
        (s.percent_twice, 2),
        (s.percent_specials_twice, 2),
        (s.percent_nested, 2),
        (s.percent_specials_thrice, 3),
    ],
)
def test_percent_encoding_decodes_in_so_many_passes(spell: s.Spell, times: int) -> None:
    found = spelled(spell)
    assert not re.search(r"[ &#+?'\"<>]", found)
    for left in range(times, 0, -1):
        assert found != VALUE, f"{left} passes were to be left"
        found = unquote(found)
    assert found == VALUE


def test_bytes_that_are_no_text_stay_the_bytes_they_are() -> None:
    value = unquote("%c0%ae", errors="surrogateescape")
    assert spelled(s.percent_all, value) == "%c0%ae"


def test_wide_percent_encoding_writes_characters() -> None:
    assert spelled(s.percent_wide, "a'b ü") == "a%u0027b%u0020%u00fc"
    assert _wide(spelled(s.percent_wide)) == VALUE


@pytest.mark.parametrize("write", [s.decimal, s.decimal_long, s.hexadecimal, s.hexadecimal_open, s.named])
@pytest.mark.parametrize("value", ["javascript:alert(1)", "it's (red): 12 / 3", "<a href='javascript:alert(1)'>x</a>"])
def test_entities_decode_back(write: s.Spell, value: str) -> None:
    found = spelled(s.entities(write), value)
    assert found != value
    assert html.unescape(found) == value


def test_entities_stay_inside_attributes_where_there_is_markup() -> None:
    found = spelled(s.entities(s.hexadecimal), '<img src=x onerror="a(1)">')
    assert found == '<img src=&#x78; onerror="&#x61;&#x28;&#x31;&#x29;">'


@pytest.mark.parametrize("spell", [s.wide_letters, s.wide_specials])
def test_full_width_forms_fold_back(spell: s.Spell) -> None:
    assert unicodedata.normalize("NFKC", spelled(spell)) == VALUE


@pytest.mark.parametrize("spell", [s.json_specials, s.json_all])
def test_json_escapes_are_read_back(spell: s.Spell) -> None:
    value = f'{VALUE}\n\\ "😀"'
    assert json.loads(f'"{spelled(spell, value)}"') == value


def test_base64_decodes_back() -> None:
    assert base64.b64decode(spelled(s.base64_plain)).decode() == VALUE
    assert base64.b64decode(spelled(s.base64_data).partition(",")[2]).decode() == VALUE
    state = spelled(s.base64_state)
    assert json.loads(base64.urlsafe_b64decode(state + "=" * (-len(state) % 4)))["value"] == VALUE


@pytest.mark.parametrize("spell", [s.in_prose, s.after_digits, s.after_hex])
def test_junk_keeps_the_value(spell: s.Spell) -> None:
    assert VALUE in spelled(spell)
    assert len(spelled(spell)) > len(VALUE) + 10


def test_a_tag_is_a_word() -> None:
    assert s.tag(Random(0)).isalpha()


def test_octets_are_utf8() -> None:
    assert s.octets("ü") == b"\xc3\xbc"

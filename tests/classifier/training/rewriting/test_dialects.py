"""What the rewriting in SQL, HTML and JavaScript looks like."""

import base64
import re
from random import Random

import pytest

from classifier.training.rewriting import dialects as d
from classifier.training.rewriting.spellings import Spell, loud

SQL = "1' or 'ab'='ab' union select 7 -- -"
TAG = '"><img src=x onerror=alert(1)>'


def spelled(spell: Spell, value: str) -> str:
    return spell(value, Random(1))


@pytest.mark.parametrize(
    ("spell", "value", "wanted"),
    [
        (d.commented(d.empty_comment), SQL, "1'/**/or/**/'ab'='ab'/**/union/**/select/**/7/**/-- -"),
        (d.commented(d.hash_comment), "1 or 2#", "1#\nor#\n2#"),
        (d.versioned, "1 union all", "1 /*!50000union*/ /*!50000all*/"),
        (d.strings(d.hex_string), SQL, "1' or 0x6162=0x6162 union select 7 -- -"),
        (d.strings(d.char_string), "'ab'", "CHAR(97,98)"),
        (d.strings(d.unhex_string), "'ab'", "unhex('6162')"),
        (d.strings(d.chr_string), "'ab'", "chr(97)||chr(98)"),
        (d.strings(d.base64_string), "'ab'", "from_base64('YWI=')"),
        (d.strings(d.piped_string), "'ab'", "'a'||'b'"),
        (d.strings(d.concat_string), "'abc'", "CONCAT('ab','c')"),
        (d.strings(d.plus_string), "'ab'", "'a'+'b'"),
        (d.hex_numbers, "id=10 or 3=3", "id=0xa or 0x3=0x3"),
        (d.float_numbers, "3=3", "3e0=3e0"),
        (d.markup(loud), '<a onclick="x" href=javascript:y>', '<A ONCLICK="x" href=JAVASCRIPT:y>'),
        (d.tag_spaced("/"), TAG, '"><img/src=x onerror=alert(1)>'),
        (d.script_comment, TAG, '"><img src=x onerror=alert/**/(1)>'),
        (d.html_comment, "<b><i>", "<!-- --><b><i>"),
        (d.script_escape, "alert(1)", r"\u0061lert(1)"),
        (d.script_escape_braces, "alert(1)", r"al\u{65}rt(1)"),
        (d.calls(d.from_codes), "x=print()", "x=eval(String.fromCharCode(112,114,105,110,116,40,41))"),
        (d.calls(d.by_key), "alert(1)", "self['ale'+'rt'](1)"),
        (d.calls(d.by_source), "alert(1)", "top[/al/.source+/ert/.source](1)"),
        (d.as_data, "<b>", "data:text/html;base64,PGI+"),
    ],
)
def test_rewriting(spell: Spell, value: str, wanted: str) -> None:
    assert spelled(spell, value) == wanted


@pytest.mark.parametrize(
    ("spell", "value", "pattern"),
    [
        (d.commented(d.told_comment), "1 or 2", r"1/\*[a-z]+\*/or/\*[a-z]+\*/2"),
        (d.commented(d.dash_comment), "1 or 2", r"1--[a-z]+\nor--[a-z]+\n2"),
        (d.told_script_comment, "alert(1)", r"alert/\*[a-z]+\*/\(1\)"),
        (d.told_html_comment, "<b></b>", r"<!--[a-z]+--!><b></b>"),
    ],
)
def test_rewriting_with_text_of_its_own(spell: Spell, value: str, pattern: str) -> None:
    assert re.fullmatch(pattern, spelled(spell, value))


def test_encoded_scripts_decode_back() -> None:
    atob = re.search(r"atob\('(.*)'\)", d.from_atob("alert(1)"))
    function = re.search(r"atob`(.*)`", d.from_function("alert(1)"))
    assert atob and base64.b64decode(atob[1]) == b"alert(1)"
    assert function and base64.b64decode(function[1]) == b"alert(1)"
    assert d.from_hex("a(1)") == r"setTimeout('\x61\x28\x31\x29')"


@pytest.mark.parametrize(
    "spell", [d.strings(d.hex_string), d.script_comment, d.as_data, d.versioned, d.tag_spaced("/")]
)
def test_what_has_no_place_for_it_stays(spell: Spell) -> None:
    assert spelled(spell, "blue shoes") == "blue shoes"

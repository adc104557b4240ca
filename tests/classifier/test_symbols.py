"""What a secret turns into."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier import symbols
from classifier.symbols import blank, blank_basic, blank_number, is_base64_text, settle


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("", ""),
        ("Hunter7-Zebra!", "xxxxxx0-xxxxx!"),
        ("é日7", "xx0"),
        ("xx00", "xx00"),
        ("select", "select"),
        ("selection", "xxxxxxxxx"),
        ("bob SELECT me", "xxx SELECT xx"),
        ("S%45lect bo%62", "S%45lect xx%78"),
        (r"\n\u0041b", r"\n\u0078x"),
        ("&#65;&#x62;&lt;", "&#88;&#x78;&lt;"),
        (b64("' or secret7=1 --"), b64("' or xxxxxx0=0 --")),
        (b64("1')) extractvalue(secret7)"), b64("0')) extractvalue(xxxxxx0)")),
        (b64("secret7 or 1 like 1"), b64("xxxxxx0 or 0 like 0")),
        (b64("q=secret7%27%3cb"), b64("x=xxxxxx0%27%3cx")),
        (b64("<b onfocus=secret7>"), b64("<x onfocus=xxxxxx0>")),
        (b64("hunter7 zebra"), "xxxxxxxxxxx0xxxxxx=="),
        (b64('{"user": "hunter7", "or": 5}'), blank(b64('{"user": "hunter7", "or": 5}'))),
    ],
)
def test_a_secret_keeps_its_shape_and_public_words(text: str, masked: str) -> None:
    assert blank(text) == masked


PIECES = st.sampled_from(
    r"""%41 %2541 %u0041 \u0041 \x41 \n &#65; &#x41; &quot; select ../ Li4vLi4v Jz0nIG9yIA== x 7 é 日 ' = ;""".split()
)


@given(st.lists(PIECES | st.text(max_size=5), max_size=20).map("".join))
def test_any_secret_keeps_its_length_and_is_blanked_once(text: str) -> None:
    masked = blank(text)
    assert len(masked) == len(text) and blank(masked) == masked


@pytest.mark.parametrize(
    ("number", "masked"), [("12", "10"), ("-12.5e3", "-10.0e0"), ("0.5", "0.0"), ("-0", "-0"), ("900", "100")]
)
def test_a_number_stays_a_json_number(number: str, masked: str) -> None:
    assert blank_number(number) == masked


@pytest.mark.parametrize(
    ("credentials", "masked"),
    [
        (b64("bob:pw9"), b64("xxx:xx0")),
        (f" {b64('bob:pw9')} ", f" {b64('xxx:xx0')} "),
        (b64("xxx:xx0"), b64("xxx:xx0")),
        ("bob:pw9", "xxx:xx0"),
        ("abcde", "xxxxx"),
    ],
)
def test_basic_credentials_stay_base64(credentials: str, masked: str) -> None:
    assert blank_basic(credentials) == masked


@pytest.mark.parametrize(
    ("run", "readable"),
    [
        (b64("hello world, abc"), True),
        (b64("../../../etc/passwd"), True),
        ("getUserProfileInformation", False),
        (base64.b64encode(bytes(range(128, 152))).decode(), False),
        ("", False),
    ],
)
def test_base64_of_readable_text_is_told_from_other_runs(run: str, readable: bool) -> None:
    assert is_base64_text(run) is readable


def test_a_rule_is_applied_until_nothing_changes() -> None:
    assert settle(lambda text: text.replace("ab", "b", 1), "aaab") == "b"


def test_a_rule_that_never_settles_ends_in_symbols() -> None:
    assert settle(lambda text: text[::-1], "ab-1") == "xx-0"


def test_runs_are_letters_digits_and_the_signs_of_base64() -> None:
    assert symbols.run_classes(b"a+b/c d.g1") == b"xxxxx x xx"


@pytest.mark.parametrize(("text", "masked"), [("Ab1-select", "xx0-xxxxxx"), ("é\n2", "x\n0"), ("日 é9", "x x0")])
def test_symbols_spare_no_word(text: str, masked: str) -> None:
    assert symbols.symbols(text) == masked


RUNS = st.sampled_from(
    [
        *r"a select x0 7 + - _ / = == . \ \n \b \\ \a12 \u00 getruntime-".split(),
        b64("' or 1=1 --"),
        "3c7363726970743e",
        " ",
    ]
)


@given(st.lists(RUNS | st.text(max_size=3), max_size=25).map("".join))
def test_the_quick_way_says_what_the_patterns_say(text: str) -> None:
    assert symbols._pieces(text) == symbols._PIECE.sub(symbols._symbols, text)
    plain = text.replace("\\", "")
    assert symbols._runs(plain) == symbols._RUNS.sub(symbols._symbols, plain)

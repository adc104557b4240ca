"""Templates taken apart, and the encodings by table."""

import json
from random import Random

import pytest

from classifier.training.synthetic.template import FILTERS, Choice, Part, Slot, encode, take_apart


@pytest.mark.parametrize(
    ("template", "parts"),
    [
        ("", ()),
        ("plain", ("plain",)),
        ("a«b»c", ("a", Slot("b"), "c")),
        ("«hex:8»", (Slot("hex", 8, 8),)),
        ("«hex:8-32~url»", (Slot("hex", 8, 32, ("url",)),)),
        ("«one|«two»|»", (Choice(("one", "«two»", "")),)),
        ("«b=hex:4»«=b»", (Slot("hex", 4, 4, (), "b"), Slot("", keep="b"))),
        ("«a»«b~json~url»", (Slot("a"), Slot("b", filters=("json", "url")))),
    ],
)
def test_parts_by_table(template: str, parts: tuple[Part, ...]) -> None:
    assert take_apart(template) == parts


def test_an_open_slot_is_a_mistake_in_the_grammar() -> None:
    with pytest.raises(ValueError, match="unmatched"):
        take_apart("a «b")


@pytest.mark.parametrize(
    ("name", "encoded"),
    [
        ("url", "a%20%22%3C%26b%0A"),
        ("form", "a+%22%3C%26b%0A"),
        ("light", 'a%20"<%26b\n'),
        ("xml", 'a "&lt;&amp;b\n'),
        ("quoted", "a %22<&b "),
        ("csv", '"a ""<&b\n"'),
        ("line", 'a "<&b'),
        ("lower", 'a "<&b\n'),
        ("b64", "YSAiPCZiCg=="),
        ("b64url", "YSAiPCZiCg"),
        ("hex", "6120223c26620a"),
        ("json", 'a \\"<&b\\n'),
    ],
)
def test_encodings_by_table(name: str, encoded: str) -> None:
    assert encode(Random(1), 'a "<&b\n', (name,)) == encoded


def test_every_encoding_is_in_the_table_or_is_json() -> None:
    assert set(FILTERS) - {"dress"} == {
        "url", "form", "light", "xml", "quoted", "csv", "line", "lower", "b64", "b64url", "hex", "json",
    }  # fmt: skip


def test_dressed_json_says_the_same_in_different_ways() -> None:
    dressed = {encode(Random(seed), '{"a":[1,"é"],"b":null}', ("dress",)) for seed in range(60)}
    assert len(dressed) >= 4
    assert {json.dumps(json.loads(text)) for text in dressed} == {json.dumps({"a": [1, "é"], "b": None})}


def test_encodings_follow_one_another() -> None:
    assert encode(Random(0), "a/b", ("url", "url")) == "a%252Fb"

"""Slots, sections, and that every rule of the vocabulary unfolds."""

import json
from random import Random

import pytest

from classifier.training.synthetic.grammar import RULES, expand, pick, read, rules


@pytest.mark.parametrize("name", sorted(RULES))
def test_every_rule_of_the_vocabulary_unfolds(name: str) -> None:
    rng = Random(1)
    for _ in range(50):
        assert "«" not in expand(rng, f"«{name}:9»" if name == "chr" else f"«{name}»")


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("plain", "plain"),
        ("«chr:33»", "!"),
        ("«a|a»-«b|b»", "a-b"),
        ("«own»", "x"),
        ("«own|own»", "own"),
        ("«k=own»«=k»«=k~hex»", "xx78"),
    ],
)
def test_slots_by_table(template: str, expected: str) -> None:
    assert expand(Random(0), template, {"own": ("x",)}) == expected


def test_a_length_may_be_a_range() -> None:
    rng = Random(0)
    assert {len(expand(rng, "«hex:3-5»")) for _ in range(100)} == {3, 4, 5}


def test_an_unknown_rule_is_a_mistake_in_the_grammar() -> None:
    with pytest.raises(KeyError, match="nosuch"):
        expand(Random(0), "«nosuch»")


def test_a_rule_that_never_ends_is_noticed() -> None:
    with pytest.raises(RecursionError):
        expand(Random(0), "«loop»", {"loop": ("«loop»",)})


def test_the_same_seed_gives_the_same_text() -> None:
    assert [expand(Random(5), "«text» «url» «jwt»") for _ in range(2)] == [expand(Random(5), "«text» «url» «jwt»")] * 2


def test_sections_keep_fields_lines_and_line_breaks() -> None:
    upload = next(section for section in read("values.txt") if section.name == "upload")
    assert upload.fields[1] == "file"
    assert any("\n" in line for line in upload.lines)


def test_a_section_of_words_is_split() -> None:
    nouns = rules(read("words.txt"))["noun"]
    assert isinstance(nouns, tuple)
    assert "anchor" in nouns
    assert pick(Random(0), "noun") in nouns


def test_json_rules_give_json() -> None:
    rng = Random(6)
    for name in ("object", "doc", "graphql"):
        for _ in range(300):
            json.loads(expand(rng, f"«{name}»"))


def test_what_calls_itself_ends() -> None:
    rng = Random(7)
    assert max(len(expand(rng, "{«jpairs»}")) for _ in range(2000)) < 60_000

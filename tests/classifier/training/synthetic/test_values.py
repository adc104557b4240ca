"""Harmless values and payloads: every template unfolds, and both travel in the same places."""

from random import Random

import pytest

from classifier.records import ATTACKS, Label
from classifier.training.synthetic.grammar import expand, read
from classifier.training.synthetic.places import PLACES, carry
from classifier.training.synthetic.values import harmless, payload

SECTIONS = {name: read(name) for name in ("values.txt", "payloads.txt")}
RULES = {section.name: section.lines for section in SECTIONS["payloads.txt"] if not section.fields}


@pytest.mark.parametrize("name", SECTIONS)
def test_every_template_unfolds_and_every_place_exists(name: str) -> None:
    rng = Random(2)
    for section in SECTIONS[name]:
        for line in section.lines:
            assert "«" not in expand(rng, line, RULES)
        if section.fields:
            assert float(section.fields[0]) > 0
            assert section.fields[1] in PLACES


@pytest.mark.parametrize("label", ATTACKS)
def test_every_web_attack_has_payloads(label: Label) -> None:
    rng = Random(3)
    assert len({payload(rng, label).text for _ in range(200)}) > 150


def test_harmless_values_look_dangerous() -> None:
    rng = Random(4)
    text = "\n".join(harmless(rng).text for _ in range(3000)).lower()
    for word in ("select ", "union", "drop table", "o'", "<script", "onclick", "../", "rm -rf", "localhost", "{{"):
        assert word in text


def test_no_place_belongs_to_attacks_alone() -> None:
    places = {
        name: {section.fields[1] for section in sections if section.fields} for name, sections in SECTIONS.items()
    }
    assert places["payloads.txt"] <= places["values.txt"]


def test_a_value_is_carried_the_same_with_the_same_seed() -> None:
    first, second = (carry(rng, harmless(rng)) for rng in (Random(9), Random(9)))
    assert first == second

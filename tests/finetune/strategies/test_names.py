import pytest

from classifier.errors import UserError
from finetune.strategies.names import DEFAULT, PARTS, WAYS, parse


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("two-stage", {"replay", "l2-sp"}),
        ("full", {"replay", "l2-sp"}),
        ("progressive", {"replay"}),
        ("from-scratch", {"replay"}),
        ("full+ewc", {"ewc"}),
        ("full+replay+ewc", {"replay", "ewc"}),
        ("full+plain", set()),
        ("progressive+plain", set()),
    ],
)
def test_parts_that_are_named_replace_the_usual_ones(text: str, parts: set[str]) -> None:
    name = parse(text)
    assert name.text == text
    assert name.way == text.split("+")[0]
    assert name.parts == parts


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("fool", "unknown strategy 'fool'; one of two-stage"),
        ("", "unknown strategy ''"),
        ("full+", "unknown part ''"),
        ("full+ecw", "unknown part 'ecw'; one of replay"),
        ("full+plain+replay", "plain means no other part"),
        ("progressive+ewc+wise", "ewc, wise needs the incumbent's own weights"),
        ("from-scratch+l2-sp", "l2-sp needs the incumbent's own weights"),
    ],
)
def test_a_name_that_makes_no_sense_is_refused_in_one_line(text: str, said: str) -> None:
    with pytest.raises(UserError, match=said.replace("+", r"\+")) as error:
        parse(text)
    assert "\n" not in str(error.value)


def test_every_name_says_what_it_is() -> None:
    assert parse(DEFAULT).parts == {"replay", "ewc"}
    assert all(len(told) > 20 for told in (*WAYS.values(), *PARTS.values()))

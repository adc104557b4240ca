"""Lines of the grammar files as records."""

from random import Random

import pytest

from classifier.lines import parse
from classifier.records import ATTACKS, Label
from classifier.training.synthetic.grammar import expand, read
from classifier.training.synthetic.scenes import LABELLED, STAGED, answered, benign, hostile

FILES = ("benign.txt", "modern.txt", "hostile.txt")
RULES = {section.name: section.lines for section in read("hostile.txt") if not section.fields}


@pytest.mark.parametrize("name", FILES)
def test_every_line_is_a_flow(name: str) -> None:
    rng = Random(1)
    for section in read(name):
        for line in section.lines:
            unfolded = expand(rng, line, RULES)
            if section.fields:
                assert parse(unfolded).site


def test_the_labels_are_those_that_no_payload_shows() -> None:
    assert set(LABELLED) == set(Label) - set(ATTACKS) - {Label.BENIGN}
    assert set(STAGED) == {Label.COMMAND_INJECTION, Label.SSRF_XXE}


@pytest.mark.parametrize("label", (*LABELLED, *STAGED))
def test_flows_vary(label: Label) -> None:
    rng = Random(2)
    assert len({hostile(rng, label) for _ in range(50)}) > 45


def test_an_answer_turns_a_request_into_a_response() -> None:
    rng = Random(3)
    request = parse("GET http://a.example/")
    for _ in range(50):
        response = answered(rng, request)
        assert (response.phase, response.path) == ("response", "/")
        assert 200 <= response.status < 600


def test_a_flow_without_its_answer_keeps_nothing_of_it() -> None:
    rng = Random(4)
    for record in (benign(rng) for _ in range(500)):
        if record.phase == "request":
            assert not (record.status or record.response_body or record.response_headers or record.answers)

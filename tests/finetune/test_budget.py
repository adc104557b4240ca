"""What may be promised of wrong blocks, and what is missing."""

import numpy as np
import pytest

from classifier.card import OperatingPoint
from classifier.errors import UserError
from finetune import budget
from finetune.budget import Calm, Promise

POINTS = {"http/request": {"threat": {"0.001": OperatingPoint(0.8, 0.001), "0.0001": OperatingPoint(0.9, 0.0001)}}}
NONE = np.zeros(0)


def promise(harmless: list[float], doubtful: list[float] | None = None, share: float = 1e-3) -> Promise:
    calm = Calm(np.array(harmless), np.array(doubtful) if doubtful else NONE)
    return budget.promises(POINTS, {"http/request": calm}, share)[0]


@pytest.mark.parametrize(
    ("text", "share"), [("1 in 10000", 1e-4), ("1 in 1,000", 1e-3), ("1/100", 0.01), ("0.005", 0.005)]
)
def test_a_budget_is_read_in_the_ways_people_write_it(text: str, share: float) -> None:
    assert budget.read(text) == pytest.approx(share)


@pytest.mark.parametrize("text", ["", "often", "1 in 0", "1 in 10", "1 in 20000", "-1/1000", "nan"])
def test_what_no_threshold_was_measured_for_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="no budget of wrong blocks"):
        budget.read(text)


@pytest.mark.parametrize(
    ("harmless", "kept", "needed"),
    [
        ([0.1] * 2995, True, 0),
        ([0.1] * 2994, False, 1),
        ([0.1] * 100, False, 2895),
        ([0.1] * 2994 + [0.95], False, 1776),
        ([0.1] * 4799 + [0.95], True, 0),
    ],
)
def test_a_promise_takes_as_many_flows_as_prove_it(harmless: list[float], kept: bool, needed: int) -> None:
    found = promise(harmless)
    assert found.kept is kept
    assert found.needed == pytest.approx(needed, rel=0.12)
    assert found.flows == len(harmless)


def test_more_flows_are_asked_for_in_words() -> None:
    said = promise([0.1] * 1000).said
    assert "0 of 1,000 harmless flows that nothing was learned from would be blocked" in said
    assert "At most 1 in 1,000 cannot be promised: 1,995 more harmless flows are needed." in said


def test_an_unlabelled_alarm_counts_as_a_wrong_block_until_it_is_labelled() -> None:
    found = promise([0.1] * 3000, [0.95, 0.2])
    assert not found.kept and found.doubtful == 1
    assert "the 1 alarms must be labelled" in found.said


def test_a_budget_in_between_is_held_at_the_next_stricter_point() -> None:
    assert promise([0.85] * 6000, share=1 / 2000).wrong == 0


def test_without_flows_all_of_them_are_asked_for_and_without_points_nothing_is_promised() -> None:
    found = promise([])
    assert (found.kept, found.needed) == (False, 2995)
    assert "no harmless flow was left" in found.said
    assert budget.promises({}, {"http/request": Calm(np.zeros(9), NONE)}, 1e-3) == []

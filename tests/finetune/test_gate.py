"""The ways to judge: a share, a loss, too little to tell."""

import numpy as np
import pytest

from classifier.records import Label
from finetune import gate
from finetune.gate import Judged


def rows(before: list[int], after: list[int]) -> Judged:
    count = len(before)
    return Judged(
        np.ones(count, bool),
        [Label.SQLI] * count,
        [str(i) for i in range(count)],
        np.array(before, float),
        np.array(after, float),
        np.array(before, np.int64),
        np.array(after, np.int64),
    )


def test_rows_can_be_taken() -> None:
    found = rows([0, 1, 2], [2, 1, 0]).take(np.array([True, False, True]))
    assert found.rank_before.tolist() == [0, 2] and found.groups == ["0", "2"]


@pytest.mark.parametrize(
    ("lost", "count", "passed", "firm"),
    [(0, 1000, True, True), (30, 1000, False, False), (1, 40, True, False), (20, 40, False, False)],
)
def test_a_loss_beyond_the_limit_refuses_unless_it_may_be_chance(
    lost: int, count: int, passed: bool, firm: bool
) -> None:
    found = gate.kept("name", rows([1] * count, [0] * lost + [1] * (count - lost)), gate.fallen(1), 0.005, 0)
    assert (found.passed, found.needed == 0) == (passed, firm)
    assert found.value == pytest.approx(lost / count)


def test_too_few_rows_pass_and_say_how_many_are_missing() -> None:
    found = gate.kept("name", rows([1] * 10, [0] * 10), gate.fallen(1), 0.005, 0, "attacks")
    assert found.passed and found.needed == 20
    assert found.said == "Not judged: 20 more attacks are needed."


def test_a_share_must_reach_its_limit() -> None:
    found = gate.share("name", np.array([True, True, False]), 0.5, lambda hits, count, limit: f"{hits}/{count}/{limit}")
    assert found.passed and found.said == "2/3/0.5" and found.low < 2 / 3 < found.high

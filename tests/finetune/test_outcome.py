from pathlib import Path

from finetune.gate import Gate
from finetune.outcome import Options, Outcome


def gate(name: str, passed: bool) -> Gate:
    return Gate(name, passed, 0.0, 0.0, 0.0, 0.0)


def test_an_outcome_passed_when_no_gate_refused() -> None:
    assert Outcome(None, False, [gate("a", True)], {}, {}, 1.0).passed
    refused = Outcome(None, False, [gate("a", True), gate("b", False)], {}, {}, 1.0)
    assert not refused.passed and refused.refused == ["b"]


def test_a_run_is_served_under_one_wrong_block_in_ten_thousand_unless_told() -> None:
    assert Options(Path("state")).budget == 1e-4

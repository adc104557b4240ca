"""Targets against figures."""

import math

import pytest

from classifier.training.evaluation.baseline import NAME as BASELINE
from classifier.training.evaluation.figures import Evaluation, SystemFigures, Target
from classifier.training.evaluation.sources import SourceReport
from classifier.training.evaluation.targets import Measured, at_least, at_most, targets
from evaluations import sample


def _named(evaluation: Evaluation, part: str) -> Target:
    return next(target for target in targets(evaluation) if part in target.name)


@pytest.mark.parametrize(
    ("part", "met", "missed"),
    [
        ("requests: area under ROC", False, ["a 0.9"]),
        ("on modern traffic", True, []),
        ("requests: multiple of the nominal rate", False, ["a at 0.01 3"]),
        ("balanced accuracy", False, ["0.01 point 0.8"]),
        ("0.07 %", False, ["all 0.3"]),
        ("gain in area by the response", True, []),
        ("rewritten attacks", False, ["case 0.9"]),
        ("megabytes", True, []),
        ("phishing and malware URLs", None, []),
        ("popular sites", None, []),
        ("calibration error", None, []),
    ],
)
def test_a_target_is_met_missed_or_not_measured(part: str, met: bool | None, missed: list[str]) -> None:
    found = _named(sample(), part)
    assert (found.met, found.missed) == (met, missed)


def _generated(area: float, found: float) -> list[SourceReport]:
    return [
        SourceReport(
            f"urls:{name}",
            "domain",
            "threat",
            500,
            0,
            "family",
            (area, 0.8, 1.0),
            {"0.01": found},
            labels={"dga": 500},
        )
        for name in ("x", "wbdga")
    ]


def test_names_are_held_against_the_baseline() -> None:
    systems = [SystemFigures("m", "r", _generated(0.96, 0.3)), SystemFigures(BASELINE, "", _generated(0.9, 0.2))]
    evaluation = Evaluation(1, 0, systems)
    assert _named(evaluation, "above the baseline").met is True
    assert _named(evaluation, "multiple of the baseline").measured.startswith("worst of 2: 1.5")
    assert _named(evaluation, "generated names").measured == "0.96 (x)"  # word lists are left out


def test_few_rows_decide_nothing() -> None:
    report = SourceReport("requests:a", "http", "threat", 3, 20, "own", (0.5, 0.1, 0.9), {}, {"0.01": 0.5})
    report.transfer = {"0.01": (50.0, 1.0, 99.0)}
    evaluation = Evaluation(1, 0, [SystemFigures("m", "r", [report])])
    assert _named(evaluation, "requests: area").met is None
    assert _named(evaluation, "requests: multiple").met is None


def test_limits_are_inclusive_unless_strict() -> None:
    at = [Measured("a", 0.5)]
    assert at_least("x", 0.5, at).met is True
    assert at_least("x", 0.5, at, strict=True).met is False
    assert at_most("x", 0.5, at).met is True
    assert at_most("x", 0.4, at) == Target("x", "≤ 0.4", "0.5 (a)", False, ["a 0.5"])
    assert at_least("x", 2, [Measured("a", math.inf)]).met is True


def test_no_systems_no_targets() -> None:
    assert targets(Evaluation(0, 0, [])) == []

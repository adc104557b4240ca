from collections.abc import Sequence

import numpy as np
import pytest

from classifier.records import Label
from finetune import acceptance
from finetune.gate import Gate, Judged

A, F, B = 0, 1, 2


def judged(
    hostile: Sequence[bool],
    before: Sequence[int],
    after: Sequence[int],
    threat_before: Sequence[float] | None = None,
    threat_after: Sequence[float] | None = None,
    labels: Sequence[Label] | None = None,
) -> Judged:
    count = len(hostile)
    return Judged(
        np.array(hostile, bool),
        labels or [Label.SQLI if each else Label.BENIGN for each in hostile],
        [str(i) for i in range(count)],
        np.array(threat_before if threat_before is not None else before, float),
        np.array(threat_after if threat_after is not None else after, float),
        np.array(before, np.int64),
        np.array(after, np.int64),
    )


def by_name(gates: Sequence[Gate]) -> dict[str, Gate]:
    return {gate.name: gate for gate in gates}


@pytest.mark.parametrize(
    ("hostile", "before", "after", "expected"),
    [
        ([False] * 3, [B, B, F], [A, A, A], {"reported": True}),
        ([False] * 3, [B, B, F], [A, A, F], {"reported": False}),
        ([False] * 20, [B] * 20, [A] * 19 + [F], {"reported": True}),
        ([False] * 20, [B] * 20, [A] * 17 + [B] * 3, {"reported": False}),
        ([True] * 4, [A] * 4, [F, B, A, A], {"missed": True}),
        ([True] * 4, [A] * 4, [F, A, A, A], {"missed": False}),
        ([False, True], [B, A], [A, B], {"reported": True, "missed": True}),
        ([False, True], [A, B], [A, B], {}),
    ],
)
def test_what_people_reported_must_come_out_right(
    hostile: list[bool], before: list[int], after: list[int], expected: dict[str, bool]
) -> None:
    gates = by_name(list(acceptance.reported(judged(hostile, before, after))))
    assert {name: gate.passed for name, gate in gates.items()} == expected


def blurred(sharp: float, count: int = 200) -> tuple[list[bool], list[float]]:
    """Rows whose threats part the classes the better, the larger `sharp`."""
    rng = np.random.default_rng(0)
    hostile = [index % 2 == 0 for index in range(count)]
    return hostile, [float(rng.normal(sharp * each, 1.0)) for each in hostile]


@pytest.mark.parametrize(
    ("before", "after", "mends", "passed"),
    [
        (0.5, 3.0, False, True),
        (3.0, 0.5, False, False),
        (3.0, 0.5, True, False),
        (3.0, 3.0, False, False),
        (3.0, 3.0, True, True),
    ],
)
def test_site_quality_must_rise_or_hold_while_reports_are_mended(
    before: float, after: float, mends: bool, passed: bool
) -> None:
    hostile, old = blurred(before)
    _, new = blurred(after)
    gate = acceptance.site_quality(judged(hostile, [A] * 200, [A] * 200, old, new), mends=mends)
    assert gate.passed is passed
    assert gate.low <= gate.value <= gate.high


def test_too_few_rows_pass_and_name_how_many_are_missing() -> None:
    hostile, threats = blurred(1.0, 20)
    gate = acceptance.site_quality(judged(hostile, [A] * 20, [A] * 20, threats, threats), mends=False)
    assert gate.passed
    assert gate.needed == 20
    assert gate.note == "not enough data: 20 more held-out site flows, harmless or hostile needed"


@pytest.mark.parametrize(
    ("count", "before", "after", "flagged", "blocked"),
    [
        (1000, 0, 3, True, True),  # within the budget of 1 %
        (1000, 0, 30, False, True),
        (1000, 30, 30, True, True),  # beyond it, as the incumbent is
        (100, 0, 4, True, True),  # may be chance
        (100, 0, 6, False, True),
    ],
)
def test_site_alarms_stay_in_budget_or_below_the_incumbents(
    count: int, before: int, after: int, flagged: bool, blocked: bool
) -> None:
    old, new = ([F] * loud + [A] * (count - loud) for loud in (before, after))
    gates = by_name(list(acceptance.site_alarms(judged([False] * count, old, new), 1e-4)))
    assert (gates["site_flagged"].passed, gates["site_blocked"].passed) == (flagged, blocked)


def test_one_new_block_of_harmless_traffic_refuses() -> None:
    gates = by_name(list(acceptance.site_alarms(judged([False] * 100, [A] * 100, [B] + [A] * 99), 1e-4)))
    assert gates["site_flagged"].passed
    assert not gates["site_blocked"].passed
    assert gates["site_blocked"].needed == 29956 - 100


def test_site_alarms_without_rows_say_how_many_are_needed() -> None:
    gates = by_name(list(acceptance.site_alarms(judged([True], [B], [B]), 1e-4)))
    assert [(gate.passed, gate.needed) for gate in gates.values()] == [(True, 299), (True, 29956)]


@pytest.mark.parametrize(
    ("lost", "alarms", "refused"),
    [
        (0, 0, set()),
        (60, 0, {"base_flagged", "base_blocked", "base_flagged_others"}),
        (0, 60, {"base_alarms"}),
    ],
)
def test_base_quality_must_be_kept(lost: int, alarms: int, refused: set[str]) -> None:
    hostile = [True] * 500 + [False] * 500
    before = [B] * 500 + [A] * 500
    after = [A] * lost + [B] * (500 - lost) + [F] * alarms + [A] * (500 - alarms)
    threats = [1.0] * 500 + [0.0] * 500
    gates = acceptance.base_quality(judged(hostile, before, after, threats, threats))
    assert {gate.name for gate in gates if not gate.passed} == refused


def test_a_lower_area_on_base_rows_refuses() -> None:
    hostile, old = blurred(3.0, 600)
    _, new = blurred(1.0, 600)
    gates = by_name(list(acceptance.base_quality(judged(hostile, [A] * 600, [A] * 600, old, new))))
    assert not gates["base_auroc"].passed
    assert gates["base_auroc"].value > 0.1


def test_a_large_family_is_judged_by_itself() -> None:
    labels = [Label.XSS] * 600 + [Label.SQLI] * 20_000
    after = [A] * 60 + [B] * 540 + [B] * 20_000
    gates = by_name(list(acceptance.base_quality(judged([True] * 20_600, [B] * 20_600, after, labels=labels))))
    assert gates["base_flagged"].passed
    assert not gates["base_flagged_xss"].passed


@pytest.mark.parametrize(
    ("lost", "missed", "refused"),
    [
        (2, 4, set()),
        (30, 60, {"site_detection"}),
        (2, 60, {"reported_detection"}),
    ],
)
def test_attacks_in_site_requests_must_still_be_flagged(lost: int, missed: int, refused: set[str]) -> None:
    after = [F] * (200 - lost) + [A] * lost + [A] * missed + [B] * (200 - missed)
    reported = np.array([False] * 200 + [True] * 200)
    gates = acceptance.site_detection(judged([True] * 400, [B] * 400, after), reported)
    assert {gate.name for gate in gates if not gate.passed} == refused


def test_detection_in_reported_requests_needs_attacks_in_both_kinds() -> None:
    gates = by_name(list(acceptance.site_detection(judged([True] * 9, [B] * 9, [B] * 9), np.array([True] * 9))))
    assert [(gate.passed, gate.needed) for gate in gates.values()] == [(True, 30), (True, 30)]


@pytest.mark.parametrize(
    ("before", "after", "passed"),
    [([B, B], [B, F], True), ([B, F], [B, A], False), ([B, A], [B, A], True), ([A], [A], True)],
)
def test_sentinels_that_the_incumbent_catches_must_be_caught(before: list[int], after: list[int], passed: bool) -> None:
    gate = acceptance.sentinels(np.array(before), np.array(after))
    assert gate.passed is passed
    assert ("missed by the incumbent" in gate.note) is (A in before)


def test_latency_compares_the_quickest_runs() -> None:
    before = np.array([1.0, 9.0, 1.1])
    assert acceptance.latency(before, np.array([7.0, 1.2, 1.3])).passed
    assert not acceptance.latency(before, np.array([1.4, 1.5, 9.0])).passed


def test_two_models_with_moved_thresholds_are_compared_at_one_detection() -> None:
    hostile, sharp = blurred(3.0, 400)
    _, dull = blurred(0.5, 400)
    worse = acceptance.site_rethresholded(judged(hostile, [A] * 400, [A] * 400, sharp, dull), mends=True)
    better = acceptance.site_rethresholded(judged(hostile, [A] * 400, [A] * 400, dull, sharp), mends=False)
    assert not worse.passed and better.passed
    assert better.value < 0 < worse.value
    assert "with the old model and a threshold moved to this site" in better.said


def test_small_families_are_pooled_and_listed_with_their_interval() -> None:
    labels = [Label.XSS] * 30 + [Label.SQLI] * 40
    gates = by_name(list(acceptance.base_quality(judged([True] * 70, [B] * 70, [A] + [B] * 69, labels=labels))))
    assert "xss 30 to 29 of 30 [85%, 100%]" in gates["base_flagged_others"].note
    assert "sqli 40 to 40 of 40" in gates["base_flagged_others"].note


def test_a_verdict_is_a_sentence_in_numbers_of_flows() -> None:
    gates = by_name(
        list(acceptance.site_alarms(judged([False] * 1200, [F] * 41 + [A] * 1159, [F] * 3 + [A] * 1197), 1e-4))
    )
    assert gates["site_flagged"].said == "3 of 1,200 ordinary requests would be flagged; before it were 41."
    assert gates["site_flagged"].p == 1.0


def test_the_budget_of_the_policy_is_the_limit_of_wrong_blocks() -> None:
    rows = judged([False] * 400, [A] * 400, [A] * 400)
    limits = [by_name(list(acceptance.site_alarms(rows, share)))["site_blocked"] for share in (0.01, 0.001)]
    assert [(gate.limit, gate.needed) for gate in limits] == [(0.01, 0), (0.001, 2995 - 400)]


@pytest.mark.parametrize(("lost", "passed"), [(0, True), (40, True), (300, False)])
def test_with_enough_rows_the_limits_are_those_of_the_issue(lost: int, passed: bool) -> None:
    after = [A] * lost + [B] * (20_000 - lost)
    gates = by_name(list(acceptance.base_quality(judged([True] * 20_000, [B] * 20_000, after))))
    gate = gates["base_flagged_sqli"]
    assert gate.limit == 0.005 and gate.passed is passed and not gate.needed

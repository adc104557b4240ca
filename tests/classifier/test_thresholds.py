import pytest

from classifier.card import OperatingPoint
from classifier.records import LABELS, FlowRecord, Label, Verdict, threat
from classifier.thresholds import Limits, Thresholds, leading, rate

RATES = {"0.01": 0.5, "0.001": 0.8, "0.0001": 0.9}


def points(*names: str) -> dict[str, dict[str, OperatingPoint]]:
    return {name: {at: OperatingPoint(value, float(at)) for at, value in RATES.items()} for name in names}


CARD = {"http/request": points("threat", *LABELS), "tls/connect": points("threat")}


def verdict(**scores: float) -> Verdict:
    full = dict.fromkeys(LABELS, 0.0) | {Label(name): score for name, score in scores.items()}
    full[Label.BENIGN] = max(0.0, 1 - sum(scores.values()))
    return Verdict(max(full, key=full.__getitem__), threat(full), full, "m")


@pytest.mark.parametrize(
    ("scores", "action", "label"),
    [
        ({}, "allow", "benign"),
        ({"sqli": 0.4}, "allow", "benign"),
        ({"sqli": 0.5}, "flag", "sqli"),
        ({"sqli": 0.3, "xss": 0.35}, "flag", "xss"),
        ({"sqli": 0.95}, "block", "sqli"),
        ({"sqli": 0.5, "xss": 0.45}, "block", "sqli"),
        ({"scanner": 0.99}, "flag", "scanner"),
        ({"tracker": 0.99}, "allow", "tracker"),
    ],
)
def test_the_cards_points_decide(scores: dict[str, float], action: str, label: str) -> None:
    finding = Thresholds(CARD).judge(FlowRecord(path="/"), verdict(**scores))
    assert (finding.action, finding.label) == (action, label)


def test_a_kind_and_phase_without_points_is_allowed() -> None:
    record = FlowRecord(kind="dns", phase="request")
    assert Thresholds(CARD).decide(record, verdict(dga=1.0)) == ("allow", "below every threshold")


def test_a_point_that_too_few_harmless_flows_stand_behind_is_not_acted_on() -> None:
    loose = {"http/request": {"threat": {"0.01": OperatingPoint(0.5, 0.24), "0.0001": OperatingPoint(0.9, 0.24)}}}
    assert Thresholds(loose).decide(FlowRecord(path="/"), verdict(sqli=1.0))[0] == "allow"


@pytest.mark.parametrize(
    ("overrides", "scores", "action"),
    [
        ({"http/request": {"threat": Limits(block=0.6)}}, {"sqli": 0.7}, "block"),
        ({"default": {"threat": Limits(block=0.6)}}, {"sqli": 0.7}, "block"),
        (
            {"default": {"threat": Limits(block=0.6)}, "http/request": {"threat": Limits(block=0.99)}},
            {"sqli": 0.7},
            "flag",
        ),
        ({"http/request": {"threat": Limits(flag=0.8)}}, {"sqli": 0.7}, "allow"),
        ({"http/request": {"sqli": Limits(block=0.3)}}, {"sqli": 0.4}, "block"),
        ({"http/request": {"tracker": Limits(block=0.9)}}, {"tracker": 0.95}, "block"),
        ({"tls/connect": {"threat": Limits(block=0.1)}}, {"sqli": 0.2}, "allow"),
    ],
)
def test_an_operators_limits_win_over_the_cards(
    overrides: dict[str, dict[str, Limits]], scores: dict[str, float], action: str
) -> None:
    assert Thresholds(CARD, overrides).decide(FlowRecord(path="/"), verdict(**scores))[0] == action


def test_default_limits_hold_where_the_card_has_no_points() -> None:
    thresholds = Thresholds({}, {"default": {"threat": Limits(block=0.6)}})
    assert thresholds.decide(FlowRecord(kind="dns"), verdict(dga=0.7))[0] == "block"


def test_the_reason_names_score_and_threshold() -> None:
    _, reason = Thresholds(CARD).decide(FlowRecord(path="/"), verdict(sqli=0.95))
    assert reason == "threat 0.95 reaches the block threshold 0.9"


def test_a_blocked_flow_is_named_by_its_likeliest_threat_even_when_benign_leads() -> None:
    assert leading(verdict(xss=0.2, sqli=0.1, tracker=0.3)) is Label.XSS


@pytest.mark.parametrize(("wrong", "name"), [(0.02, "0.01"), (0.005, "0.001"), (1 / 1000, "0.001"), (1e-4, "0.0001")])
def test_a_budget_takes_the_nearest_measured_rate_at_or_below_it(wrong: float, name: str) -> None:
    assert rate(wrong) == name
    assert Thresholds(CARD, block_at=name).decide(FlowRecord(), verdict(sqli=RATES[name]))[0] == "block"


def test_a_budget_stricter_than_every_measured_rate_is_not_promised() -> None:
    with pytest.raises(ValueError, match="10000"):
        rate(1e-6)

"""The rule book."""

import itertools
from ipaddress import ip_network
from typing import Any

import pytest

from classifier.card import OperatingPoint
from classifier.records import LABELS, FlowRecord, Label, Verdict, threat
from classifier.thresholds import Thresholds
from proxy.evidence import Evidence
from proxy.policy import Decision, Effective, Exemption, Failure, Hosts, Match, Policy, Rule, Scope, share

POINTS = {"http/request": {"threat": {"0.01": OperatingPoint(0.5, 0.01), "0.0001": OperatingPoint(0.9, 0.0001)}}}
THRESHOLDS = Thresholds(POINTS)
RECORD = FlowRecord(host="www.a.example", client="10.1.2.3", method="GET", path="/admin/x?y=1", time=100.0)


def verdict(label: str = "sqli", score: float = 0.99) -> Verdict:
    scores = dict.fromkeys(LABELS, 0.0) | {Label.BENIGN: 1 - score}
    scores[Label(label)] += score
    return Verdict(Label(label), threat(scores), scores, "m")


def decide(found: Verdict | Failure, record: FlowRecord = RECORD, **options: Any) -> Decision:
    return Policy(THRESHOLDS, **options).decide(record, found)


@pytest.mark.parametrize(
    ("patterns", "inside", "outside"),
    [
        (["a.example"], ["a.example", "A.Example."], ["www.a.example", "xa.example", "example", ""]),
        ([".a.example"], ["a.example", "www.a.example", "x.y.a.example"], ["ba.example", "example"]),
        (["*.a.example"], ["www.a.example", "x.y.a.example"], ["a.example", "ba.example"]),
        (["127.0.0.1"], ["127.0.0.1"], ["127.0.0.11"]),
        ([], [], ["a.example", ""]),
        (["", " ", "."], [], ["a.example", ""]),
    ],
)
def test_host_patterns(patterns: list[str], inside: list[str], outside: list[str]) -> None:
    hosts = Hosts(patterns)
    assert [host for host in [*inside, *outside] if host in hosts] == inside


@pytest.mark.parametrize(
    ("match", "fits"),
    [
        (Match(), True),
        (Match(hosts=Hosts([".a.example"])), True),
        (Match(hosts=Hosts(["b.example"])), False),
        (Match(hosts=Hosts()), False),
        (Match(clients=(ip_network("10.0.0.0/8"),)), True),
        (Match(clients=(ip_network("192.168.0.0/16"), ip_network("::1"))), False),
        (Match(paths=("/admin",)), True),
        (Match(paths=("/x", "/y")), False),
        (Match(methods=frozenset({"GET"})), True),
        (Match(methods=frozenset({"POST"})), False),
        (Match(labels=frozenset({Label.SQLI})), True),
        (Match(labels=frozenset({Label.XSS})), False),
        (Match(threat=0.9), True),
        (Match(threat=0.999), False),
        (Match(hosts=Hosts([".a.example"]), paths=("/other",)), False),
    ],
)
def test_a_rule_fits_when_all_its_conditions_hold(match: Match, fits: bool) -> None:
    decision = decide(verdict(), rules=[Rule("r", match, "allow")])
    assert decision.action == ("allow" if fits else "block")
    assert decision.rule == ("r" if fits else "")


@pytest.mark.parametrize(("action", "fits"), [("block", True), ("flag", True), ("allow", False)])
def test_one_bad_name_is_enough_and_one_good_name_is_not(action: Any, fits: bool) -> None:
    record = FlowRecord(kind="tls", phase="connect", host="198.51.100.1", sni="a.example")
    rule = Rule("r", Match(hosts=Hosts(["a.example"])), action)
    assert (decide(Failure("nan"), record, rules=[rule]).rule == "r") is fits
    both = Rule("r", Match(hosts=Hosts(["a.example", "198.51.100.1"])), action)
    assert decide(Failure("nan"), record, rules=[both]).rule == "r"


def test_a_client_mapped_into_ipv6_is_the_same_client() -> None:
    record = FlowRecord(client="::ffff:10.1.2.3")
    assert decide(verdict(), record, rules=[Rule("r", Match(clients=(ip_network("10.0.0.0/8"),)), "flag")]).rule == "r"


def test_the_first_rule_that_fits_decides() -> None:
    rules = [Rule("one", Match(paths=("/admin",)), "flag"), Rule("two", Match(), "block")]
    assert decide(verdict("benign", 0.0), rules=rules)[:1] == ("flag",)


def test_an_exception_wins_over_rules_and_thresholds_until_it_expires() -> None:
    rules = [Rule("all", Match(), "block")]
    for expires, action in ((None, "allow"), (101.0, "allow"), (100.0, "block"), (1.0, "block")):
        exemptions = [Exemption("e", Match(hosts=Hosts([".a.example"])), "ops", "why", expires)]
        decision = decide(verdict(), rules=rules, exemptions=exemptions)
        assert decision.action == action, expires
    assert decide(verdict(), exemptions=[Exemption("e", Match(), "ops", "why")]).reason == "exception: why"


@pytest.mark.parametrize(
    ("on_failure", "action"), [({}, "allow"), ({"nan": "allow"}, "allow"), ({"nan": "block"}, "block")]
)
def test_a_failure_is_decided_by_its_cause(on_failure: Any, action: str) -> None:
    decision = decide(Failure("nan"), on_failure=on_failure)
    assert (decision.action, decision.reason, decision.label) == (action, "not judged (nan)", None)


def test_rules_on_names_hold_without_a_verdict_and_rules_on_scores_do_not() -> None:
    named = Rule("named", Match(hosts=Hosts([".a.example"])), "block")
    scored = Rule("scored", Match(threat=0.1), "block")
    assert decide(Failure("exception"), rules=[scored, named]).rule == "named"


def test_a_part_that_was_judged_bad_is_blocked_whatever_the_rest() -> None:
    assert decide(Failure("oversized", verdict())).action == "block"
    fine = Failure("oversized", verdict("benign", 0.0))
    assert decide(fine).action == "allow"
    assert decide(fine, on_failure={"oversized": "block"}).reason == "not judged (oversized)"


def test_monitor_and_enforce_differ_in_nothing_but_enforced() -> None:
    for found in (verdict(), verdict("benign", 0.0), Failure("nan")):
        monitor, enforce = decide(found), decide(found, mode="enforce")
        assert monitor == enforce._replace(enforced=False)
        assert not monitor.blocks
    assert decide(verdict(), mode="enforce").blocks


def test_an_exception_tells_what_it_spared() -> None:
    exemption = Exemption("e", Match(paths=("/admin",)), "ops", "why")
    assert decide(verdict(), exemptions=[exemption]).spared == "block"
    assert decide(verdict("benign", 0.0), exemptions=[exemption]).spared == "allow"
    ruled = decide(verdict("benign", 0.0), exemptions=[exemption], rules=[Rule("all", Match(), "flag")])
    assert (ruled.action, ruled.spared) == ("allow", "flag")
    assert decide(verdict()).spared is None


def test_a_policy_can_be_asked_without_one_exception() -> None:
    exemptions = [Exemption("one", Match(), "ops", "why"), Exemption("two", Match(paths=("/x",)), "ops", "why")]
    policy = Policy(THRESHOLDS, exemptions=exemptions)
    assert policy.decide(RECORD, verdict(), without="one").action == "block"
    assert policy.decide(RECORD, verdict(), without="two").rule == "one"


def test_only_an_exception_that_asks_for_it_retires() -> None:
    for retires, action in ((True, "block"), (False, "allow")):
        policy = Policy(THRESHOLDS, exemptions=[Exemption("e", Match(), "ops", "why", retires=retires)])
        policy.retired = {"e"}
        assert policy.decide(RECORD, verdict()).action == action


@pytest.mark.parametrize(
    ("decision", "modelled"),
    [
        (decide(verdict()), True),
        (decide(verdict(), rules=[Rule("r", Match(), "block")]), False),
        (decide(Failure("nan"), on_failure={"nan": "block"}), False),
        (decide(Failure("oversized", verdict("benign", 0.0)), on_failure={"oversized": "block"}), False),
        (decide(Failure("oversized", verdict())), True),
    ],
)
def test_whether_the_model_decided(decision: Decision, modelled: bool) -> None:
    assert (decision.action, decision.modelled) == ("block", modelled)


GUESTS = Match(clients=(ip_network("10.0.0.0/8"),))
OTHERS = Match(clients=(ip_network("192.168.0.0/16"),))


@pytest.mark.parametrize(
    ("mode", "scopes", "effective"),
    [
        ("monitor", [], Effective("monitor", "policy.mode")),
        ("monitor", [Scope("g", GUESTS, "enforce")], Effective("enforce", "scope g")),
        ("monitor", [Scope("o", OTHERS, "enforce")], Effective("monitor", "policy.mode")),
        ("enforce", [Scope("g", GUESTS, "monitor")], Effective("monitor", "scope g")),
        ("enforce", [Scope("a", Match(), "monitor"), Scope("g", GUESTS, "enforce")], Effective("monitor", "scope a")),
        ("enforce", [Scope("g", GUESTS, None, 100.0)], Effective("enforce", "policy.mode")),
        (
            "monitor",
            [Scope("g", GUESTS, "enforce", 0.0)],
            Effective("monitor", "scope g, but this client is not among the first 0 %"),
        ),
    ],
)
def test_the_first_scope_that_fits_sets_the_mode(mode: Any, scopes: list[Scope], effective: Effective) -> None:
    policy = Policy(THRESHOLDS, mode=mode, scopes=scopes)
    assert policy.effective(RECORD) == effective
    assert policy.decide(RECORD, verdict()).enforced is (effective.mode == "enforce")


def test_a_trusted_name_beside_the_true_one_does_not_escape_enforcement() -> None:
    record = FlowRecord(kind="tls", phase="connect", host="evil.example", sni="a.example")
    tolerant = Scope("a", Match(hosts=Hosts(["a.example"])), "monitor")
    assert Policy(THRESHOLDS, mode="enforce", scopes=[tolerant]).effective(record).mode == "enforce"
    strict = Scope("a", Match(hosts=Hosts(["a.example"])), "enforce")
    assert Policy(THRESHOLDS, scopes=[strict]).effective(record).mode == "enforce"


def test_raising_the_percentage_only_adds_clients() -> None:
    clients = [f"10.0.{number // 250}.{number % 250}" for number in range(1000)]

    def enforced(percent: float) -> set[str]:
        policy = Policy(THRESHOLDS, mode="enforce", percent=percent)
        return {client for client in clients if policy.effective(FlowRecord(client=client)).mode == "enforce"}

    steps = [enforced(percent) for percent in (0, 10, 50, 100)]
    assert all(one <= other for one, other in itertools.pairwise(steps))
    assert (len(steps[0]), len(steps[3])) == (0, 1000)
    assert 60 < len(steps[1]) < 140 and 430 < len(steps[2]) < 570, "five standard deviations of a fair draw"
    assert share("::ffff:10.1.2.3") == share("10.1.2.3")
    assert share("") == 0.0


@pytest.mark.parametrize(
    ("score", "listed", "action"), [(0.6, True, "block"), (0.6, False, "flag"), (0.002, True, "allow")]
)
def test_a_list_that_counts_tips_what_is_suspicious_anyway(score: float, listed: bool, action: str) -> None:
    evidence = [Evidence("feed", Match(hosts=Hosts([".a.example"])), Label.PHISHING, 20.0)]
    record = FlowRecord(host="www.a.example" if listed else "www.good.example", phase="request")
    decision = decide(verdict("phishing", score), record, evidence=evidence)
    assert decision.action == action
    assert ("feed (phishing, odds x 20)" in decision.evidence) is listed
    assert decision.evidence in decision.reason
    assert decision.modelled

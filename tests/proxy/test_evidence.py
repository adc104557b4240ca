"""Lists that count: odds, and who is heard."""

from pathlib import Path

import pytest

from classifier.errors import UserError
from classifier.records import FlowRecord, Label, Verdict
from proxy import config
from proxy.evidence import FACTOR, Evidence, multiply, weigh
from proxy.policy import Hosts, Match

LISTED = FlowRecord(host="login.bad.example", scheme="https", path="/", phase="request")


def verdict(phishing: float, sqli: float = 0.0) -> Verdict:
    scores = {Label.BENIGN: 1 - phishing - sqli, Label.PHISHING: phishing, Label.SQLI: sqli}
    return Verdict(Label.BENIGN, phishing + sqli, scores, "r")


def listed(label: Label = Label.PHISHING, factor: float = FACTOR, *hosts: str, name: str = "list") -> Evidence:
    return Evidence(name, Match(hosts=Hosts(hosts or (".bad.example",))), label, factor)


@pytest.mark.parametrize(
    ("before", "factor", "after"),
    [(0.01, 20, 0.1681), (0.1, 20, 0.6897), (0.5, 20, 0.9524), (0.5, 1.0, 0.5), (0.0, 20, 2e-5), (1.0, 20, 1.0)],
)
def test_a_hit_multiplies_the_odds(before: float, factor: float, after: float) -> None:
    scores = multiply({Label.PHISHING: before, Label.BENIGN: 1 - before}, Label.PHISHING, factor)
    assert scores[Label.PHISHING] == pytest.approx(after, rel=1e-3)
    assert sum(scores.values()) == pytest.approx(1.0, abs=1e-5)


def test_other_labels_shrink_in_proportion() -> None:
    scores = multiply({Label.PHISHING: 0.5, Label.SQLI: 0.4, Label.BENIGN: 0.1}, Label.PHISHING, 3)
    assert scores == pytest.approx({Label.PHISHING: 0.75, Label.SQLI: 0.2, Label.BENIGN: 0.05})


def test_what_no_list_names_stays_as_it_was() -> None:
    found = verdict(0.3)
    assert weigh(LISTED, found, [listed(Label.PHISHING, 20, ".other.example")]) == (found, "")
    assert weigh(LISTED, found, []) == (found, "")


def test_a_listed_flow_says_which_list_counted_and_what_was_without_it() -> None:
    weighed = weigh(LISTED, verdict(0.1), [listed(name="feed")])
    assert weighed.verdict.threat == pytest.approx(0.6897, rel=1e-3)
    assert weighed.verdict.label is Label.PHISHING
    assert weighed.words == "lists count: feed (phishing, odds x 20); threat 0.1 without them"


def test_of_several_lists_for_one_label_the_strongest_counts() -> None:
    both = weigh(LISTED, verdict(0.1), [listed(factor=5, name="weak"), listed(factor=20, name="strong")])
    assert "strong" in both.words and "weak" not in both.words
    assert both.verdict == weigh(LISTED, verdict(0.1), [listed(factor=20, name="strong")]).verdict


def test_lists_for_different_labels_are_all_heard() -> None:
    weighed = weigh(LISTED, verdict(0.1), [listed(name="bad"), listed(Label.BENIGN, 20, name="good")])
    assert "bad" in weighed.words and "good" in weighed.words
    assert weighed.verdict.threat < weigh(LISTED, verdict(0.1), [listed()]).verdict.threat


def test_a_trusted_name_beside_the_true_one_does_not_help() -> None:
    hidden = FlowRecord(host="good.example", sni="bad.example")
    good = listed(Label.BENIGN, 100, "good.example")
    assert weigh(hidden, verdict(0.5), [good]).words == ""
    assert weigh(FlowRecord(host="good.example"), verdict(0.5), [good]).verdict.threat < 0.02


TABLE = """
[[policy.evidence]]
name = "feed"
host_list = "list.txt"
label = "phishing"
"""


def test_it_is_read_from_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("0.0.0.0 bad.example\n")
    (tmp_path / "sluice.toml").write_text(TABLE)
    settings = config.load(tmp_path / "sluice.toml")
    assert [(each.name, each.label, each.factor) for each in settings.policy.evidence] == [
        ("feed", Label.PHISHING, FACTOR)
    ]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('host = "a.example"', "evidence[1].label: missing"),
        ('label = "phishing"', "needs host, host_list or adblock_list"),
        ('host = "a.example"\nlabel = "phising"', "must be a label, did you mean phishing?"),
        ('host = "a.example"\nlabel = "phishing"\nfactor = 1', "evidence[1].factor"),
        ('host = "a.example"\nlabel = "phishing"\nfaktor = 2', "unknown key, did you mean factor?"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, lines: str, said: str) -> None:
    (tmp_path / "sluice.toml").write_text(f"[[policy.evidence]]\n{lines}\n")
    with pytest.raises(UserError) as told:
        config.load(tmp_path / "sluice.toml")
    assert said in str(told.value)

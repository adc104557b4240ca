"""Label rules, signatures and what flows say themselves."""

import pytest

from classifier.records import FlowRecord
from classifier.training.datasets import labels


@pytest.mark.parametrize(
    "rule", ["", "benign", "scam", "signature", "signature or scanner", "benign unless signature", "infection"]
)
def test_rules(rule: str) -> None:
    labels.check(rule)


@pytest.mark.parametrize("rule", ["evil", "signature or evil", "evil unless signature", "benign or signature", " "])
def test_what_is_no_rule(rule: str) -> None:
    with pytest.raises(ValueError, match="no such label rule"):
        labels.check(rule)


def test_the_first_pattern_counts_and_the_label_is_for_the_rest() -> None:
    rules = {"*nosql*": "ssrf_xxe", "*SQL*": "sqli", "drop": ""}
    found = [labels.rule_for(original, "xss", rules) for original in ("NoSQL/a", "Sql/b", "drop", "other")]
    assert found == ["ssrf_xxe", "sqli", "", "xss"]


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("a=1' or 1=1", "sqli"),
        ("a=1%2527%20or%201%253D1", "sqli"),
        ("<script>alert(1)</script>", "xss"),
        ("../../etc/passwd", "path_traversal"),
        ("; cat /x", "command_injection"),
        ("${jndi:ldap://x}", "command_injection"),
        ("http://169.254.169.254/", "ssrf_xxe"),
        ("rock and roll", ""),
    ],
)
def test_signatures(text: str, label: str) -> None:
    assert labels.signature(text) == label


@pytest.mark.parametrize(
    ("rule", "attack", "plain"),
    [
        ("signature", "xss", ""),
        ("signature or scanner", "xss", "scanner"),
        ("benign unless signature", "", "benign"),
        ("sqli", "sqli", "sqli"),
    ],
)
def test_rules_on_text(rule: str, attack: str, plain: str) -> None:
    assert (labels.of_text(rule, "<svg onload=x>"), labels.of_text(rule, "hello")) == (attack, plain)


@pytest.mark.parametrize(
    ("record", "rule", "label"),
    [
        (FlowRecord(host="ads.doubleclick.net"), "infection", "tracker"),
        (FlowRecord(host="ads.doubleclick.net"), "web_attack", "web_attack"),
        (FlowRecord(host="www.microsoft.com"), "infection", "benign"),
        (FlowRecord(host="notmicrosoft.com", method="POST"), "infection", "c2"),
        (FlowRecord(host="api.ipify.org"), "infection", "unknown"),
        (FlowRecord(host="a.example", response_body=b"MZ.."), "infection", "malware"),
        (FlowRecord(kind="tls", sni="a.example"), "infection", "c2"),
        (FlowRecord(kind="dns", qname="a.example"), "infection", "malware_context"),
        (FlowRecord(path="/?a=<script>x"), "signature", "xss"),
        (FlowRecord(request_headers=(("Referer", "/?a=<script>x"),)), "signature", "xss"),
    ],
)
def test_rules_on_flows(record: FlowRecord, rule: str, label: str) -> None:
    assert labels.of_flow(rule, record) == label

"""A flow as people read it."""

import pytest

from classifier.errors import UserError
from classifier.journal import Event
from classifier.records import FlowRecord, Label, Verdict
from classifier.scorer import Scorer
from classifier.shown import carried, printable, subject, url


@pytest.mark.parametrize(
    ("record", "shown"),
    [
        (FlowRecord(scheme="https", host="a.example", port=443, path="/x?y=1"), "https://a.example/x?y=1"),
        (FlowRecord(scheme="http", host="a.example", port=8080, path="/"), "http://a.example:8080/"),
        (FlowRecord(sni="a.example", port=8443), "a.example:8443"),
        (FlowRecord(scheme="http", host="::1", path="/"), "http://[::1]/"),
        (FlowRecord(qname="a.example", kind="dns"), "a.example"),
    ],
)
def test_an_address_names_the_port_where_the_scheme_does_not(record: FlowRecord, shown: str) -> None:
    assert url(record) == shown


def test_nothing_steers_a_terminal() -> None:
    assert printable("a\x1b[2Jb\rc") == "a\\x1b[2Jb\\rc"


def event(reason: str, verdict: Verdict | None) -> Event:
    return Event(id="e", time=0.0, record=FlowRecord(), verdict=verdict, action="block", enforced=True, reason=reason,
                 release="r")  # fmt: skip


@pytest.mark.parametrize(
    ("reason", "label"),
    [("sqli 0.9 reaches the block threshold 0.8", Label.SQLI), ("threat 0.9 reaches …", None), ("rule: mine", None)],
)
def test_what_a_decision_is_about_stands_first_in_its_reason(reason: str, label: Label | None) -> None:
    assert subject(event(reason, None)) == label


def test_why_nothing_can_be_told() -> None:
    def load(release: str) -> Scorer:
        raise UserError(f"no release {release}")

    assert carried(event("", None), load) == "the flow was not judged"
    judged = event("", Verdict(Label.SQLI, 1.0, {Label.SQLI: 1.0}, "r"))
    assert carried(judged, load) == "the release that judged cannot be asked again: no release r"

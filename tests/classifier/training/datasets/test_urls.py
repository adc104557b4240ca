"""URLs: one form, settled labels, registered domains, weights that balance shapes."""

from collections import defaultdict

import pytest

from classifier.records import FlowRecord
from classifier.training.datasets import urls
from classifier.training.datasets.urls import Url


def url(written: str, label: str, source: str = "s") -> Url:
    return Url(written, label, "", source, "o/n", "-")


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        (" HTTPS://WWW.A.example/Path?Q=1 ", "https://www.a.example/Path?Q=1"),
        ("A.Example", "a.example"),
        ("hxxp://a[.]example/x", "http://a.example/x"),
        ("http://a.example/?a=1&amp;b=2&region=3", "http://a.example/?a=1&b=2&region=3"),
        ("a.example:8080/x", "a.example:8080/x"),
        ("http://192.0.2.1/x", "http://192.0.2.1/x"),
        ("a.example/?next=https://b.example/", "a.example/?next=https://b.example/"),
        ("https://a.example/?m=joe.x@b.example", "https://a.example/?m=user@b.example"),
        ("https://a.example/?m=joe%40b.example", "https://a.example/?m=user%40b.example"),
        ("https://joe:secret@a.example/", ""),
        ("localhost", ""),
        ("hello world.example", ""),
        ("no.such_thing<>/x", ""),
        ("", ""),
        ("https://", ""),
    ],
)
def test_normal_form(written: str, normal: str) -> None:
    assert urls.normal(written) == normal
    assert urls.normal(normal) == normal


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://www.a.example/", "a.example", True),
        ("http://a.example/x", "https://a.example/x", True),
        ("a.example/x/", "a.example/x", False),
        ("a.example", "b.example", False),
    ],
)
def test_what_is_the_same_url(one: str, other: str, same: bool) -> None:
    assert (urls.key(one) == urls.key(other)) is same


@pytest.mark.parametrize(
    ("written", "domain"),
    [
        ("https://x.y.example.co.uk/z", "example.co.uk"),
        ("joe.github.io", "joe.github.io"),
        ("http://192.0.2.1:80/x", "192.0.2.1"),
        ("http://[2001:db8::1]/", "2001:db8::1"),
        ("co.uk", "co.uk"),
    ],
)
def test_registered_domains(written: str, domain: str) -> None:
    assert urls.domain(written) == domain


@pytest.mark.parametrize(
    ("labels", "settled"),
    [
        (["benign"], "benign"),
        (["benign", "tracker"], "tracker"),
        (["benign", "phishing"], ""),
        (["tracker", "phishing"], "phishing"),
        (["dga", "scam", "malware", "c2"], "c2"),
    ],
)
def test_contradictions(labels: list[str], settled: str) -> None:
    assert urls.settle(labels) == settled


@pytest.mark.parametrize(
    ("written", "kind"), [("a.example", "domain"), ("a.example/x", "url"), ("http://a.example", "url")]
)
def test_kinds(written: str, kind: str) -> None:
    assert urls.kind(written) == kind


@pytest.mark.parametrize(
    ("record", "written"),
    [
        (FlowRecord(scheme="https", host="a.example", port=443, path="/x"), "https://a.example/x"),
        (FlowRecord(host="a.example", port=8080, path="/"), "http://a.example:8080/"),
        (FlowRecord(path="/x"), ""),
    ],
)
def test_a_flows_url(record: FlowRecord, written: str) -> None:
    assert urls.of_flow(record) == written


def test_a_table_has_each_url_once_from_the_first_source_that_is_right() -> None:
    rows = list(
        urls.table([
            url("https://a.example/", "benign", "one"),
            url("a.example", "tracker", "two"),
            url("b.example", "benign"),
            url("b.example", "c2"),
            url("joe.c.example/x", "phishing"),
            url("c.example", "benign"),
        ])
    )  # fmt: skip
    assert [(row["url"], row["source"], row["label"]) for row in rows] == [
        ("a.example", "two", "tracker"),
        ("joe.c.example/x", "s", "phishing"),
        ("c.example", "s", "benign"),
    ]
    assert [row["mixed_domain"] for row in rows] == [False, True, True]
    assert rows[1]["split_hint"] == rows[2]["split_hint"]


def test_weights_make_shapes_say_nothing() -> None:
    rows = [url(f"bad{n}.example/login", "phishing") for n in range(8)] + [url("x.example/login", "benign")] * 4
    rows += [url(f"good{n}.example", "benign") for n in range(8)] + [url("evil.example", "c2")] * 4
    mass = defaultdict[tuple[str, bool], float](float)
    for row, weight in zip(rows, urls.weights(rows), strict=True):
        mass[urls.kind(row.url), row.label == "benign"] += weight
    assert mass["url", True] == pytest.approx(mass["url", False])
    assert mass["domain", True] == pytest.approx(mass["domain", False])


def test_weights_are_clipped() -> None:
    rows = (
        [url("a.example", "benign")] * 99 + [url("b.example", "c2")] + [url(f"c{n}.example/", "c2") for n in range(99)]
    )
    assert max(urls.weights(rows)) == 5.0
    assert urls.weights([]) == []


def test_one_in_twenty_domains_is_for_validation() -> None:
    share = sum(urls.hint(f"{n}.example") == "val" for n in range(4000)) / 4000
    assert 0.03 < share < 0.07

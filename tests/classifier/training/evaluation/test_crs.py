"""ModSecurity with CRS, really run: what it passes, blocks and refuses, and that nothing leaves loopback."""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import needs
from classifier.errors import UserError
from classifier.records import BODY_CAP, FlowRecord
from classifier.training.evaluation import nginx
from classifier.training.evaluation.crs import Crs

JSON = (("User-Agent", "curl/8.1.2"), ("Accept", "*/*"), ("Content-Type", "application/json"))
FORM = (("User-Agent", "curl/8.1.2"), ("Accept", "*/*"), ("Content-Type", "application/x-www-form-urlencoded"))

PASSED = [
    FlowRecord(method="GET", path="/", host="www.example.com"),
    FlowRecord(method="HEAD", path="/catalogue?page=2&sort=price", host="shop.example"),
    FlowRecord(method="POST", path="/login", host="x.test", request_headers=FORM, request_body=b"user=ann&code=1234"),
    FlowRecord(method="POST", path="/api", host="x.test", request_headers=JSON, request_body=b'{"name": "Ann"}'),
    FlowRecord(method="GET", path="/", host="10.0.0.7"),
    FlowRecord(path="/only/headers", request_headers=JSON[:2]),
    FlowRecord(
        method="POST", path="/big", host="x.test", request_headers=FORM, request_body=b"text=" + b"word+" * 3000
    ),
    FlowRecord(method="GET", path="/" + "long/" * 2500, host="x.test"),
]
BLOCKED = [
    FlowRecord(method="GET", path="/?id=1%27%20union%20select%20password%20from%20users--%20", host="x.test"),
    FlowRecord(method="GET", path="/?q=%3Cscript%3Ealert(1)%3C/script%3E", host="x.test"),
    FlowRecord(method="GET", path="/?file=../../../../etc/passwd", host="x.test"),
    FlowRecord(
        method="POST", path="/run", host="x.test", request_headers=FORM, request_body=b"host=1.1.1.1;cat+/etc/passwd"
    ),
    FlowRecord(method="GET", path="/", host="x.test", request_headers=(("User-Agent", "() { :; }; /bin/bash -c id"),)),
    FlowRecord(
        method="POST",
        path="/",
        host="x.test",
        request_headers=FORM,
        request_body=b"a=" + b"b" * 15000 + b"&q=<script>alert(1)</script>",
    ),
    FlowRecord(method="POST", path="/api", host="x.test", request_headers=JSON, request_body=b'{"name": '),
]
REFUSED = [
    FlowRecord(method="GET", path="/a b", host="x.test"),
    FlowRecord(method="GET", path="/\x01", host="x.test"),
    FlowRecord(method="TRACE", path="/", host="x.test"),
    FlowRecord(method="GET", path="no-slash", host="x.test"),
    FlowRecord(method="GET", path="/a\r\nX-Second: line", host="x.test"),
    FlowRecord(method="GET", path="/", request_headers=(("Host", "a.test"), ("Host", "b.test"))),
]
OTHERS = [
    FlowRecord(host="example.com", phase="connect"),
    FlowRecord(scheme="https", host="example.com", path="/a?b=%3Cscript%3E"),
    FlowRecord(kind="dns", qname="example.com"),
    FlowRecord(method="GET", path="/", phase="response", status=200),
]


@pytest.fixture(scope="module")
def crs() -> Iterator[Crs]:
    needs.crs()
    with Crs() as system:
        yield system


@pytest.mark.parametrize(
    ("outcome", "records"),
    [("passed", PASSED), ("blocked", BLOCKED), ("refused", REFUSED)],
    ids=lambda each: str(each)[:7],
)
def test_outcomes(outcome: str, records: list[FlowRecord], crs: Crs) -> None:
    crs.counts.clear()
    scores = crs.score(records)
    assert dict(crs.counts) == {outcome: len(records)}
    assert scores.shape == (len(records), 3)
    assert ((scores[:, 0] >= 0.5) == (outcome != "passed")).all()
    assert (scores[:, 0] == scores[:, 1]).all() and not scores[:, 2].any()


def test_the_score_is_the_anomaly_score(crs: Crs) -> None:
    numeric = FlowRecord(method="GET", path="/", host="10.0.0.7")  # a warning: 3 points
    both = FlowRecord(method="GET", path="/?file=../../../../etc/passwd", host="10.0.0.7")
    clean, warned, attack, worse = crs.score([PASSED[0], numeric, BLOCKED[2], both])[:, 0]
    assert clean == 0
    assert warned == pytest.approx(3 / 8)
    assert 0.5 <= attack < worse < 1


def test_others_are_left_out(crs: Crs) -> None:
    cut = FlowRecord(method="POST", path="/", request_headers=JSON, request_body=b'{"a": "' + b"b" * BODY_CAP)
    assert np.isnan(crs.score([*OTHERS, cut])).all()
    assert crs.score([]).shape == (0, 3)


def test_the_connection_survives_what_was_refused(crs: Crs) -> None:
    mixed = [record for trio in zip(PASSED, REFUSED, BLOCKED, strict=False) for record in trio]
    assert ((crs.score(mixed)[:, 0] >= 0.5).reshape(-1, 3) == [False, True, True]).all()


def test_the_rules_take_time(crs: Crs) -> None:
    assert crs.microseconds([*PASSED, *BLOCKED, *OTHERS]) > 0
    assert np.isnan(crs.microseconds(OTHERS))


def test_nothing_leaves_loopback(crs: Crs) -> None:
    seen: list[object] = []

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname"):
            seen.append(arguments)

    sys.addaudithook(watch)  # for good: it cannot be taken away again
    crs.score(
        [*BLOCKED, *REFUSED, FlowRecord(method="GET", path="/?url=http://203.0.113.9/a", host="203.0.113.9", port=81)]
    )
    crs.microseconds(BLOCKED[:2])
    assert seen
    assert {
        arguments[1][0] for arguments in seen if isinstance(arguments, tuple) and isinstance(arguments[1], tuple)
    } == {"127.0.0.1"}


def test_without_the_packages_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nginx, "MODULE", Path("/nowhere"))
    with pytest.raises(UserError, match="apt-get install nginx libnginx-mod-http-modsecurity modsecurity-crs"):
        Crs()


def test_name_and_threshold(crs: Crs) -> None:
    assert crs.name == f"ModSecurity + CRS {nginx.version()}"
    assert crs.points["http/request"]["threat"]["0.0001"].threshold == 0.5

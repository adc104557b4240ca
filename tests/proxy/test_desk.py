"""The block page's buttons, in the real proxy and by the clock."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
import pytest
from mitmproxy.http import HTTPFlow
from mitmproxy.test import tflow, tutils

from browser import run_browser
from classifier.journal import Event, Journal
from classifier.records import FlowRecord, Label
from harness import Proxy, run_proxy
from inside import make_judge
from origin import Origin
from proxy.desk import BUTTONS, PERIOD, REPORT_AGE, Desk, Terms
from proxy.page import CONTINUE, REPORT
from proxy.policy import Decision

BROWSER = {"Accept": "text/html,*/*;q=0.8"}
BLOCK = Decision("block", True, "threat 1 reaches the block threshold 0.9", Label.SQLI, event="e1")
CONFIG = """
[policy]
continue_once = "10m"
never_continue = ["malware"]
contact = "helpdesk@a.example"

[[policy.rules]]
name = "no-go"
path = "/forbidden"
action = "block"

[[policy.rules]]
name = "hidden"
host = "hidden.invalid"
action = "block"
"""


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory, origin: Origin) -> Iterator[Proxy]:
    with run_proxy(tmp_path_factory.mktemp("desk"), config=CONFIG, origin_ca=origin.ca) as running:
        yield running


def tickets(page: str) -> dict[str, str]:
    """The buttons of a page: path to ticket."""
    return dict(re.findall(r'action="([^"]+)">\s*<input type="hidden" name="ticket" value="([^"]+)"', page))


@pytest.mark.parametrize("scheme", ["plain", "tls"])
def test_a_report_reaches_the_journal_and_not_the_site(proxy: Proxy, origin: Origin, scheme: str) -> None:
    site = getattr(origin, scheme)
    with proxy.client(headers=BROWSER) as client:
        page = client.get(f"{site}/wrong-{scheme}?q='")
        ticket = tickets(page.text)[REPORT]
        replies = [client.post(f"{site}{REPORT}", data={"ticket": ticket}) for _ in range(2)]
    event = page.headers["x-sluice-event"]
    assert [reply.status_code for reply in replies] == [200, 200]
    assert "Thank you" in replies[0].text and "Already reported" in replies[1].text
    assert REPORT not in origin.paths()
    journal = Journal(proxy.state / "sluice.db")
    (report,) = [report for report in journal.reports() if report.event == event]
    assert (report.client, report.times) == ("127.0.0.1", 2)
    assert any(event in detail for _, action, detail in journal.audits() if action == "report")
    assert proxy.metric("sluice_block_page_total", button="report", result="done") >= 2


def test_what_the_user_saw_is_written_down(proxy: Proxy, origin: Origin) -> None:
    journal = Journal(proxy.state / "sluice.db")
    for headers, seen in (
        (BROWSER, "a block page (en)"),
        (BROWSER | {"Accept-Language": "de"}, "a block page (de)"),
        ({"Accept": "application/json"}, "a block as JSON (en)"),
        ({}, "a block as plain text (en)"),
    ):
        with proxy.client(headers=headers) as client:
            event = journal.find(client.get(f"{origin.plain}/seen?q='").headers["x-sluice-event"])
        assert event is not None and event.seen == seen


def test_such_a_path_without_a_ticket_of_ours_belongs_to_the_site(proxy: Proxy, origin: Origin) -> None:
    with proxy.client(headers=BROWSER) as client:
        for content in ({}, {"ticket": "x"}, {"ticket": "x.y.z"}):
            for path in (REPORT, CONTINUE):
                assert client.post(f"{origin.plain}{path}", data=content).text.startswith(f"POST {path}")
        page = client.get(f"{origin.plain}/w?q='")
        assert client.get(f"{origin.plain}{REPORT}?{urlencode({'ticket': tickets(page.text)[REPORT]})}").text == (
            f"GET {REPORT} 0"
        )


@pytest.mark.parametrize("scheme", ["plain", "tls"])
def test_a_user_may_continue_to_this_page_and_no_other(proxy: Proxy, origin: Origin, scheme: str) -> None:
    site = getattr(origin, scheme)
    with proxy.client(headers=BROWSER) as client:
        page = client.get(f"{site}/go-{scheme}?q='")
        answer = client.post(f"{site}{CONTINUE}", data={"ticket": tickets(page.text)[CONTINUE]})
        assert (answer.status_code, answer.headers["location"]) == (303, f"{site}/go-{scheme}?q='")
        assert client.get(answer.headers["location"]).text == f"GET /go-{scheme} 0"
        assert client.get(f"{site}/go-{scheme}?q=''").status_code == 403
        assert client.get(f"{site}/other?q='").status_code == 403
    journal = Journal(proxy.state / "sluice.db")
    passed = next(event for event in journal.events() if event.rule == "continue once")
    assert (passed.action, page.headers["x-sluice-event"] in passed.reason) == ("allow", True)
    assert "continue" in [action for action, _ in [(a, d) for _, a, d in journal.audits()]]
    assert proxy.metric("sluice_continued_total") >= 1


def test_after_a_blocked_upload_the_user_sends_it_again(proxy: Proxy, origin: Origin) -> None:
    with proxy.client(headers=BROWSER) as client:
        page = client.post(f"{origin.plain}/form", content=b"user='")
        answer = client.post(f"{origin.plain}{CONTINUE}", data={"ticket": tickets(page.text)[CONTINUE]})
        assert (answer.status_code, "You may continue" in answer.text) == (200, True)
        assert client.post(f"{origin.plain}/form", content=b"user='").text == "POST /form 6"


def test_a_rules_block_cannot_be_continued(proxy: Proxy, origin: Origin) -> None:
    with proxy.client(headers=BROWSER) as client:
        page = client.get(f"{origin.plain}/forbidden")
    assert page.status_code == 403
    assert tickets(page.text).keys() == {REPORT}
    assert "helpdesk@a.example" in page.text


def test_a_ticket_of_another_host_or_page_opens_nothing(proxy: Proxy, origin: Origin) -> None:
    with proxy.client(headers=BROWSER) as client:
        ticket = tickets(client.get(f"{origin.plain}/mine?q='").text)
        elsewhere = f"http://localhost:{urlsplit(origin.plain).port}"
        assert client.post(f"{elsewhere}{CONTINUE}", data={"ticket": ticket[CONTINUE]}).status_code == 403
        crossed = client.post(f"{origin.plain}{CONTINUE}", data={"ticket": ticket[REPORT]})
        assert crossed.text.startswith("POST"), "no ticket for this purpose"


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def desk(folder: Path, clock: Clock, **terms: Any) -> Desk:
    judge = make_judge(folder)
    judge.journal.event(
        Event(
            id="e1", time=5.0, record=FlowRecord(method="GET", path="/?q='"), verdict=None, action="block",
            enforced=True, reason=BLOCK.reason, release="r", label=terms.pop("label", Label.SQLI),
        )
    )  # fmt: skip
    return Desk(b"k" * 32, judge.journal, judge.metrics, Terms(**terms), clock)


def flow(path: str = "/?q='", ticket: str = "", host: bytes = b"a.example") -> HTTPFlow:
    content = urlencode({"ticket": ticket}).encode() if ticket else b""
    asked = tutils.treq(method=b"POST" if ticket else b"GET", path=path.encode(), content=content)
    asked.data.host = host.decode()
    made = tflow.tflow(req=asked)
    made.client_conn.peername = ("10.0.0.9", 1)
    return made


def pressed(at: Desk, path: str, ticket: str, **more: Any) -> int:
    reply = at.answer(flow(path, ticket, **more))
    assert reply is not None
    return reply.status_code


def test_permission_ends_with_its_time(tmp_path: Path) -> None:
    clock = Clock()
    front = desk(tmp_path, clock, window=600.0)
    record = FlowRecord(client="10.0.0.9", host="a.example", path="/?q='")
    assert front.permitted(record, BLOCK) == ""
    assert pressed(front, CONTINUE, front.offers(flow(), BLOCK).resume) == 303
    assert front.permitted(record, BLOCK) == "e1"
    for elsewhere in (
        FlowRecord(client="10.0.0.8", host="a.example", path="/?q='"),
        FlowRecord(client="10.0.0.9", host="b.example", path="/?q='"),
        FlowRecord(client="10.0.0.9", host="a.example", path="/"),
    ):
        assert front.permitted(elsewhere, BLOCK) == ""
    clock.now += 601
    assert front.permitted(record, BLOCK) == ""


@pytest.mark.parametrize(
    ("terms", "decision", "offered"),
    [
        ({}, BLOCK, False),
        ({"window": 600.0}, BLOCK, True),
        ({"window": 600.0, "never": frozenset({Label.SQLI})}, BLOCK, False),
        ({"window": 600.0}, BLOCK._replace(rule="r"), False),
        ({"window": 600.0}, BLOCK._replace(reason="not judged (nan)"), False),
        ({"window": 600.0}, BLOCK._replace(label=None), False),
    ],
)
def test_what_may_be_continued(tmp_path: Path, terms: dict[str, Any], decision: Decision, offered: bool) -> None:
    assert bool(desk(tmp_path, Clock(), **terms).offers(flow(), decision).resume) is offered


def test_a_label_that_was_forbidden_meanwhile_opens_nothing(tmp_path: Path) -> None:
    front = desk(tmp_path, Clock(), window=600.0)
    ticket = front.offers(flow(), BLOCK).resume
    front.terms = Terms(window=600.0, never=frozenset({Label.SQLI}))
    assert pressed(front, CONTINUE, ticket) == 403


def test_a_path_cannot_send_the_user_elsewhere(tmp_path: Path) -> None:
    front = desk(tmp_path, Clock(), window=600.0)
    reply = front.answer(flow(CONTINUE, front.offers(flow("//evil.example/x"), BLOCK).resume))
    assert reply is not None and urlsplit(reply.headers["location"]).hostname == "a.example"
    assert front.offers(flow("/" + "x" * 3000), BLOCK).resume == ""


def test_a_client_that_presses_all_the_time_has_to_wait(tmp_path: Path) -> None:
    clock = Clock()
    front = desk(tmp_path, clock)
    ticket = front.offers(flow(), BLOCK).report
    codes = [pressed(front, REPORT, ticket) for _ in range(BUTTONS + 2)]
    assert codes == [200] * BUTTONS + [429] * 2
    clock.now += PERIOD + 1
    assert pressed(front, REPORT, ticket) == 200


def test_an_old_page_and_a_forgotten_event_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    front = desk(tmp_path, Clock())
    ticket = front.offers(flow(), BLOCK).report
    gone = front.offers(flow(), BLOCK._replace(event="e2")).report
    assert pressed(front, REPORT, gone) == 410
    import time

    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + REPORT_AGE + 10)
    assert pressed(front, REPORT, ticket) == 410


def test_programs_are_answered_in_their_own_way(proxy: Proxy, origin: Origin) -> None:
    with proxy.client(headers=BROWSER) as client:
        ticket = tickets(client.get(f"{origin.plain}/program?q='").text)[REPORT]
        reply = client.post(f"{origin.plain}{REPORT}", data={"ticket": ticket}, headers={"Accept": "application/json"})
        assert reply.json()["result"] == "reported"
        assert httpx.Headers(reply.headers)["cache-control"] == "no-store"


CONTRAST = """(() => {
  const light = text => {
    const parts = text.match(/[0-9.]+/g).slice(0, 3).map(value => value / 255)
      .map(value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
  };
  const behind = element => {
    const color = getComputedStyle(element).backgroundColor;
    return color === 'rgba(0, 0, 0, 0)' ? behind(element.parentElement) : color;
  };
  return Math.min(...[...document.querySelectorAll('h1, h2, p, strong, button, a, dt, dd, code')].map(element => {
    const [one, other] = [light(getComputedStyle(element).color), light(behind(element))];
    return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
  }));
})()"""
"""The lowest contrast of any text on the page (https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio)."""


def test_a_reader_reports_with_the_keyboard_alone(proxy: Proxy, origin: Origin, tmp_path: Path) -> None:
    with run_browser(tmp_path / "browser", proxy=proxy.url, trusted=proxy.ca, language="de") as page:
        page.open(f"{origin.tls}/keyboard?q='")
        assert page.evaluate("document.documentElement.lang") == "de"
        assert page.evaluate("document.title") == "Seite gesperrt"
        assert page.evaluate("document.scripts.length") == 0
        for dark in (False, True):
            page.look(dark=dark)
            assert page.evaluate(CONTRAST) >= 4.5
        page.look(360, 640)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, "nothing runs out of a small screen"
        event = page.evaluate("document.querySelector('code').textContent")
        page.press("Tab")
        assert page.evaluate("document.activeElement.className") == "first"
        enter: dict[str, Any] = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"}
        page.call("Input.dispatchKeyEvent", type="keyDown", **enter)
        page.wait("document.title === 'Danke'")
    assert event in [report.event for report in Journal(proxy.state / "sluice.db").reports()]


@pytest.mark.parametrize("scheme", ["plain", "tls"])
def test_a_reader_continues_to_the_page(proxy: Proxy, origin: Origin, tmp_path: Path, scheme: str) -> None:
    with run_browser(tmp_path / "browser", proxy=proxy.url, trusted=proxy.ca) as page:
        page.open(f"{getattr(origin, scheme)}/reader-{scheme}?q='")
        assert "This page was blocked to protect you" in page.text()
        page.go("button.second")
        assert page.text() == f"GET /reader-{scheme} 0"
        refused = [problem for problem in page.problems if "Content Security Policy" in problem]
        assert refused == []

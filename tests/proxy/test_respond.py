import html
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy.test import tflow

from classifier.records import Label
from proxy.policy import Decision
from proxy.respond import Meter, apply, block, note, preferred, redirect, stream
from proxy.wording import ENGLISH

BLOCK = Decision("block", True, "threat 1 reaches <the> threshold", Label.SQLI, event="abc")


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", "text"),
        ("*/*", "text"),
        ("text/plain", "text"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8", "html"),
        ("application/json", "json"),
        ("application/json, text/plain, */*", "json"),
        ("application/vnd.api+json", "json"),
        ("application/json, text/html", "json"),
        ("text/html, application/json", "html"),
        ("text/html;q=0.5, application/json;q=0.9", "json"),
        ("application/json;q=0, text/html;q=0.1", "html"),
        ("application/json;q=x", "text"),
        ("APPLICATION/JSON", "json"),
        (",;,;q=1,", "text"),
    ],
)
def test_the_format_follows_the_accept_header(accept: str, chosen: str) -> None:
    assert preferred(accept) == chosen


@pytest.mark.parametrize("accept", ["", "text/html", "application/json"])
def test_every_format_carries_status_event_and_nothing_to_run_or_keep(accept: str) -> None:
    reply = block(accept, "a.example", BLOCK)
    assert (reply.status_code, reply.headers["x-sluice-event"], reply.headers["cache-control"]) == (
        403,
        "abc",
        "no-store",
    )
    assert reply.headers["content-length"] == str(len(reply.raw_content or b""))
    assert "abc" in (reply.text or "")


def test_json_says_what_and_why() -> None:
    reply = block("application/json", "a.example", BLOCK)
    assert json.loads(reply.text or "") == {
        "blocked": True,
        "event": "abc",
        "label": "sqli",
        "reason": "threat 1 reaches <the> threshold",
    }


def test_the_page_escapes_what_it_shows() -> None:
    page = block("text/html", '<img src=x onerror="a">', BLOCK).text or ""
    assert "<img" not in page and "&lt;img" in page
    assert 'lang="en"' in page and "<title>" in page and "<main>" in page


def test_every_threat_has_words_of_its_own() -> None:
    for label in ENGLISH.meaning:
        assert ENGLISH.meaning[label] in (block("", "a", BLOCK._replace(label=label)).text or "")


@pytest.mark.parametrize(
    ("decision", "words"),
    [
        (BLOCK._replace(rule="r"), "a rule of your network"),
        (BLOCK._replace(label=None, reason="not judged (nan)"), "could not be checked"),
    ],
)
def test_a_block_without_a_verdict_says_so(decision: Decision, words: str) -> None:
    assert words in (block("text/html", "a", decision).text or "")


def test_only_an_enforced_block_changes_a_flow() -> None:
    for decision in (BLOCK._replace(action="allow"), BLOCK._replace(action="flag"), BLOCK._replace(enforced=False)):
        flow = tflow.tflow(resp=False)
        assert not apply(flow, decision)
        assert flow.response is None
    flow = tflow.tflow(resp=True)
    assert apply(flow, BLOCK)
    assert flow.response is not None and flow.response.status_code == 403


def test_a_stream_passes_unchanged_and_counted() -> None:
    flow = tflow.tflow(resp=True)
    meter = stream(flow, "response")
    assert flow.response is not None and isinstance(flow.response.stream, Meter)
    assert [meter(part) for part in (b"abc", b"", b"de")] == [b"abc", b"", b"de"]
    assert meter.bytes == 5


@pytest.mark.parametrize(
    ("accept", "language", "method", "seen"),
    [
        ("text/html", "de", b"GET", "a block page (de)"),
        ("text/html", "", b"GET", "a block page (en)"),
        ("application/json", "de", b"GET", "a block as JSON (de)"),
        ("", "", b"GET", "a block as plain text (en)"),
        ("text/html", "", b"CONNECT", "a refused connection"),
    ],
)
def test_what_the_user_sees_is_told(accept: str, language: str, method: bytes, seen: str) -> None:
    flow = tflow.tflow(resp=False)
    flow.request.data.method = method
    flow.request.headers["accept"], flow.request.headers["accept-language"] = accept, language
    assert apply(flow, BLOCK) == seen


def test_the_readers_language_is_spoken_where_people_read() -> None:
    page = block("text/html", "a.example", BLOCK, language="de-AT")
    assert (page.headers["content-language"], 'lang="de"' in (page.text or "")) == ("de", True)
    assert (block("", "a", BLOCK, language="de").text or "").startswith("Vom Filter des Netzwerks gesperrt, denn sie")
    assert "content-language" not in block("application/json", "a", BLOCK, language="de").headers


def test_the_page_may_neither_load_nor_be_framed() -> None:
    policy = block("text/html", "a.example", BLOCK).headers["content-security-policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "script" not in policy


@given(accept=st.text(), site=st.text(), language=st.text(), label=st.sampled_from([None, *Label]), reason=st.text())
def test_no_request_makes_an_answer_that_acts(
    accept: str, site: str, language: str, label: Label | None, reason: str
) -> None:
    decision = BLOCK._replace(label=label, reason=reason)
    for chosen in (accept, "text/html", "application/json"):
        reply = block(chosen, site, decision, language=language)
        text = reply.text or ""
        if reply.headers["content-type"].startswith("application/json"):
            assert json.loads(text).keys() == {"blocked", "event", "label", "reason"}
        elif reply.headers["content-type"].startswith("text/html"):
            assert html.escape(site) in text and text.count("<") == (block("text/html", "", decision).text or "").count(
                "<"
            )
        else:
            assert "<" not in text and (len(site) < 9 or site not in text)


@pytest.mark.parametrize("name", ["reported", "repeated", "limited", "expired", "refused", "resumed"])
def test_buttons_are_answered_in_every_format(name: str) -> None:
    for accept, kind in (("text/html", "text/html"), ("application/json", "application/json"), ("", "text/plain")):
        reply = note(accept, "", 200, name)
        assert reply.headers["content-type"].startswith(kind)
        assert getattr(ENGLISH, name)[1][:20] in (reply.text or "")


def test_a_redirect_goes_where_it_is_told() -> None:
    reply = redirect("http://a.example//b")
    assert (reply.status_code, reply.headers["location"]) == (303, "http://a.example//b")

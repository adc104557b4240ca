import json

import pytest
from mitmproxy.test import tflow

from classifier.records import HARMLESS, LABELS, Label
from proxy.policy import Decision
from proxy.respond import MEANING, Meter, apply, block, preferred, stream

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
    assert MEANING.keys() == set(LABELS) - set(HARMLESS)
    for label in MEANING:
        assert MEANING[label] in (block("", "a", BLOCK._replace(label=label)).text or "")


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

"""Headers as browsers and tools send them."""

from random import Random

import pytest

from proxy.bench.clients import Want, browsers, tools


def test_a_visitor_keeps_the_program_and_the_cookies() -> None:
    visitor = browsers(Random(1), 1)[0]
    first, second = (dict(visitor.headers("a.example", want, "")) for want in ("page", "asset"))
    assert first["User-Agent"] == second["User-Agent"]
    assert first.get("Cookie") == second.get("Cookie")


def test_visitors_differ() -> None:
    assert len(set(browsers(Random(1), 50))) == 50


@pytest.mark.parametrize(
    ("want", "present", "absent"),
    [
        ("page", {"Upgrade-Insecure-Requests"}, {"Origin"}),
        ("form", {"Upgrade-Insecure-Requests", "Origin"}, set()),
        ("data", {"Origin"}, {"Upgrade-Insecure-Requests"}),
        ("asset", set(), {"Origin", "Upgrade-Insecure-Requests"}),
    ],
)
def test_a_browser_says_what_it_is_after(want: Want, present: set[str], absent: set[str]) -> None:
    names = dict(browsers(Random(1), 1)[0].headers("a.example", want, "http://a.example/")).keys()
    assert present | {"Host", "User-Agent", "Accept", "Referer"} <= names
    assert not absent & names


def test_tools_send_their_own_headers_and_no_cookies() -> None:
    for tool in tools():
        headers = tool.headers("a.example", "data", "http://a.example/")
        assert headers == (("Host", "a.example"), *tool.fixed)

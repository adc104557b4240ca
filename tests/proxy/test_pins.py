"""When a server passes unread, for whom, and until when."""

import ssl
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from classifier.errors import UserError
from classifier.journal import Journal
from harness import Proxy, run_proxy
from origin import Origin
from proxy.pins import REFRESH, TRACKED, Key, Limits, Pins, show

API = Key("api.example", "t13d")
LIMITS = Limits(failures=3, of=5, expires=1000.0, limit=2)


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "sluice.db")


def made(journal: Journal, clock: Clock, limits: Limits = LIMITS) -> Pins:
    return Pins(journal, limits, clock)


@pytest.mark.parametrize(
    ("handshakes", "pinned"),
    [("xxx", True), ("xx", False), ("xoxox", True), ("xooxoox", False), ("xxooooox", False), ("ooooo", False)],
)
def test_failures_among_the_last_handshakes_pin(journal: Journal, clock: Clock, handshakes: str, pinned: bool) -> None:
    pins = made(journal, clock)
    for sign in handshakes:
        pins.refused(API) if sign == "x" else pins.accepted(API)
    assert pins.holds(API) is pinned


def test_a_pin_is_for_one_server_and_one_kind_of_client(journal: Journal, clock: Clock) -> None:
    pins = made(journal, clock)
    assert [pins.refused(API) for _ in range(3)] == [False, False, True]
    assert not pins.holds(Key("api.example", "t13x")) and not pins.holds(Key("other.example", "t13d"))
    assert len(pins) == 1


def test_a_pin_ends_and_the_next_handshake_is_a_probe(journal: Journal, clock: Clock) -> None:
    pins = made(journal, clock)
    for _ in range(3):
        pins.refused(API)
    clock.now += 1001
    assert not pins.holds(API) and len(pins) == 0
    assert pins.refused(API), "one failure renews it"
    assert pins.holds(API)
    clock.now += 1001
    pins.accepted(API)
    assert not pins.refused(API) and not pins.holds(API), "a success ends it"


def test_pins_survive_a_restart_and_reach_other_workers(journal: Journal, clock: Clock) -> None:
    pins, other = made(journal, clock), made(journal, clock)
    assert not other.holds(API)
    for _ in range(3):
        pins.refused(API)
    assert made(journal, clock).holds(API)
    assert not other.holds(API)
    clock.now += REFRESH + 1
    assert other.holds(API)
    assert "pin" in [action for _, action, _ in journal.audits()]


def test_there_is_a_limit(journal: Journal, clock: Clock) -> None:
    pins = made(journal, clock)
    keys = [Key(f"{number}.example", "t") for number in range(4)]
    for key in keys:
        for _ in range(3):
            pins.refused(key)
    assert [pins.holds(key) for key in keys] == [True, True, False, False]


def test_it_can_be_switched_off(journal: Journal, clock: Clock) -> None:
    pins = made(journal, clock)
    for _ in range(3):
        pins.refused(API)
    pins.limits = LIMITS._replace(failures=0)
    assert not pins.holds(API) and not pins.refused(API)


def test_what_is_remembered_of_handshakes_is_bounded(journal: Journal, clock: Clock) -> None:
    pins = made(journal, clock)
    for number in range(TRACKED + 10):
        pins.refused(Key(f"{number}.example", "t"))
    assert journal.rows("select count(*) from handshakes") == [(TRACKED,)]


def test_handshakes_count_whichever_worker_sees_them(journal: Journal, clock: Clock) -> None:
    one, other = made(journal, clock), made(journal, clock)
    assert [one.refused(API), other.refused(API), one.refused(API)] == [False, False, True]
    clock.now += REFRESH + 1
    assert other.holds(API)


def test_pins_are_listed_and_taken_back(journal: Journal, clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    pins = made(journal, clock)
    for _ in range(3):
        pins.refused(API)
    folder = journal.path.parent
    show(folder)
    assert capsys.readouterr().out.startswith("api.example  t13d  since 1970-01-12")
    show(folder, "api.example")
    show(folder)
    told = capsys.readouterr().out
    assert "1 pins are forgotten" in told and "no server is pinned" in told
    with pytest.raises(UserError, match="no pins in"):
        show(folder / "elsewhere")


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory, origin: Origin) -> Iterator[Proxy]:
    config = '[policy]\npinned = {failures = 2, of = 3, expires = "1h"}\n'
    with run_proxy(tmp_path_factory.mktemp("pins"), config=config, origin_ca=origin.ca) as running:
        yield running


def test_a_client_that_pins_passes_unread_after_some_failures(proxy: Proxy, origin: Origin) -> None:
    context = ssl.create_default_context(cafile=str(origin.ca))  # the origin's certificate and no other
    url = f"https://localhost:{urlsplit(origin.tls).port}/pinned?q='"

    def ask() -> int:
        with httpx.Client(proxy=proxy.url, verify=context, timeout=20, trust_env=False) as client:
            return client.get(url).status_code

    for _ in range(2):
        with pytest.raises(httpx.ConnectError):
            ask()
    proxy.wait_metric("sluice_pinned_servers", 1)
    assert ask() == 200
    assert proxy.metric("sluice_uninspected_flows_total", reason="pinned") == 1
    assert proxy.metric("sluice_uninspected_flows_total", reason="tls_failed") == 2
    assert proxy.metric("sluice_flows_total", phase="connect") >= 6, "still judged by name"
    proxy.wait_metric("sluice_flows_closed_total", 3, coverage="none")
    trusting = proxy.context()
    trusting.maximum_version = ssl.TLSVersion.TLSv1_2  # another fingerprint: read as ever
    with httpx.Client(proxy=proxy.url, verify=trusting, timeout=20, trust_env=False) as other:
        assert other.get(url).status_code == 403

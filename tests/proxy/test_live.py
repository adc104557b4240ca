"""The policy of a running proxy changes between two requests, and no connection notices."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from harness import Proxy, run_proxy
from origin import Origin
from proxy.config import Settings, load
from proxy.desk import Terms
from proxy.live import limits, terms
from proxy.pins import Limits

BROWSER = {"Accept": "text/html"}


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory, origin: Origin) -> Iterator[Proxy]:
    with run_proxy(tmp_path_factory.mktemp("live"), mode="", origin_ca=origin.ca) as running:
        yield running


def write(proxy: Proxy, policy: str) -> None:
    file = proxy.state.parent / "sluice.toml"
    proxy_table = file.read_text().partition("\n\n")[0]
    file.write_text(f"{proxy_table}\n\n{policy}")


def reload(proxy: Proxy) -> httpx.Response:
    return httpx.post(f"{proxy.admin}/-/reload", trust_env=False)


@pytest.mark.parametrize("scheme", ["plain", "tls"])
def test_a_policy_takes_over_on_a_connection_that_stays(proxy: Proxy, origin: Origin, scheme: str) -> None:
    site = getattr(origin, scheme)
    write(proxy, "")
    reload(proxy)
    with proxy.client(headers=BROWSER, limits=httpx.Limits(max_connections=1)) as client:
        assert client.get(f"{site}/x?q='").status_code == 200
        opened = proxy.metric("sluice_connections")
        for policy, code in (
            ('[policy]\nmode = "enforce"\n', 403),
            ('[policy]\nmode = "enforce"\n[[policy.rules]]\npath = "/x"\naction = "allow"\n', 200),
            ('[policy]\nmode = "monitor"\n', 200),
            ('[policy]\nmode = "enforce"\ncontact = "helpdesk"\n', 403),
        ):
            write(proxy, policy)
            answer = reload(proxy)
            assert (answer.status_code, answer.json()["result"]) == (200, "ok")
            reply = client.get(f"{site}/x?q='")
            assert reply.status_code == code
        assert "helpdesk" in reply.text
        assert proxy.metric("sluice_connections") == opened
    assert proxy.metric("sluice_mode_info", mode="enforce", cause="policy.mode") == 1
    assert proxy.metric("sluice_mode_info") == 1


def test_a_stream_goes_on_over_a_reload(proxy: Proxy, origin: Origin) -> None:
    origin.release.clear()
    with proxy.client() as client, client.stream("GET", f"{origin.tls}/sse") as reply:
        parts = reply.iter_raw()
        assert next(parts) == b"data: first\n\n"
        write(proxy, f'[policy]\ncontact = "{time.time()}"\n')
        assert reload(proxy).json()["result"] == "ok"
        origin.release.set()
        assert next(parts) == b"data: second\n\n"


def test_a_mistake_changes_nothing_and_is_named(proxy: Proxy, origin: Origin) -> None:
    write(proxy, '[policy]\nmode = "enforce"\n')
    reload(proxy)
    refused = proxy.metric("sluice_policy_reloads_total", result="refused")
    write(proxy, '[policy]\nmode = "monitr"\n')
    answer = reload(proxy)
    assert (answer.status_code, answer.json()["result"]) == (409, "refused")
    assert "policy.mode: must be 'monitor' or 'enforce', not 'monitr'" in answer.json()["detail"]
    assert proxy.metric("sluice_policy_reloads_total", result="refused") == refused + 1
    with proxy.client() as client:
        assert client.get(f"{origin.plain}/x?q='").status_code == 403


def test_nothing_new_is_said_to_be_nothing(proxy: Proxy) -> None:
    write(proxy, "")
    reload(proxy)
    assert reload(proxy).json()["result"] == "unchanged"
    write(proxy, '[capture]\nmax_age = "1h"\n')
    assert "[capture] changed too and waits for a restart" in reload(proxy).json()["detail"]


def test_a_list_is_read_again_with_the_policy(proxy: Proxy, origin: Origin) -> None:
    listed = proxy.state.parent / "list.txt"
    listed.write_text("# nothing yet\n")
    write(proxy, '[policy]\nmode = "enforce"\n[[policy.rules]]\nhost_list = "list.txt"\naction = "block"\n')
    reload(proxy)
    with proxy.client() as client:
        assert client.get(f"{origin.plain}/x").status_code == 200
        listed.write_text("127.0.0.1\n")
        assert reload(proxy).json()["result"] == "ok"
        assert client.get(f"{origin.plain}/x").status_code == 403


def test_a_hangup_reads_the_policy_too(proxy: Proxy, origin: Origin) -> None:
    write(proxy, '[policy]\nmode = "enforce"\n')
    before = proxy.metric("sluice_policy_reloads_total", result="ok")
    proxy.process.send_signal(signal.SIGHUP)
    proxy.wait_metric("sluice_policy_reloads_total", before + 1, result="ok")
    with proxy.client() as client:
        assert client.get(f"{origin.plain}/x?q='").status_code == 403


def test_exceptions_of_the_state_directory_count(proxy: Proxy, origin: Origin) -> None:
    write(proxy, '[policy]\nmode = "enforce"\n')
    exceptions = proxy.state / "exceptions.toml"
    exceptions.write_text('[[policy.exceptions]]\npath = "/excepted"\nowner = "o"\nreason = "r"\n')
    reload(proxy)
    with proxy.client() as client:
        assert client.get(f"{origin.plain}/excepted?q='").status_code == 200
        exceptions.unlink()
        reload(proxy)
        assert client.get(f"{origin.plain}/excepted?q='").status_code == 403


def test_scopes_and_shares_decide_who_is_enforced(proxy: Proxy, origin: Origin) -> None:
    enforce = '[policy]\nmode = "enforce"\n'
    for policy, code in (
        ('[[policy.scopes]]\nclient = "127.0.0.0/8"\nmode = "enforce"\n', 403),
        ('[[policy.scopes]]\nclient = "10.0.0.0/8"\nmode = "enforce"\n', 200),
        (f'{enforce}[[policy.scopes]]\nhost = "127.0.0.1"\nmode = "monitor"\n', 200),
        (f"{enforce}enforce_percent = 0\n", 200),
        (f"{enforce}enforce_percent = 0\n[[policy.scopes]]\nclient = '127.0.0.1'\nenforce_percent = 100\n", 403),
    ):
        write(proxy, policy)
        assert reload(proxy).status_code == 200
        with proxy.client() as client:
            assert client.get(f"{origin.plain}/x?q='").status_code == code, policy


def test_settings_become_what_the_parts_take(tmp_path: Path) -> None:
    (tmp_path / "sluice.toml").write_text(
        '[policy]\ncontinue_once = "10m"\nnever_continue = []\ncontact = "it"\n'
        'pinned = {failures = 1, expires = "1h"}\n'
    )
    settings = load(tmp_path / "sluice.toml")
    assert terms(settings) == Terms(600.0, frozenset(), "it")
    assert limits(settings) == Limits(1, 5, 3600.0, 1000)
    assert (terms(Settings()).window, limits(Settings())) == (0.0, Limits())

"""A proxy whose flows wait in a queue for their verdicts is, from outside, one that judges inline."""

import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from classifier.records import Label
from harness import Proxy, publish, run_proxy
from models import POISON
from origin import Origin, run_origin

CONFIG = """
[model]
batching = "on"

[policy]
on_failure = {nan = "block"}
"""


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory, origin: Origin) -> Iterator[Proxy]:
    folder = tmp_path_factory.mktemp("queue")
    with run_proxy(folder, config=CONFIG, origin_ca=origin.ca, nan_on_poison=True) as running:
        yield running


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Origin]:
    with run_origin(tmp_path_factory.mktemp("origin")) as running:
        yield running


@pytest.mark.parametrize("place", ["plain", "tls"])
def test_requests_and_tunnels_are_judged(proxy: Proxy, origin: Origin, place: str) -> None:
    site = getattr(origin, place)
    with proxy.client() as client:
        assert client.get(f"{site}/good").status_code == 200
        blocked = client.get(f"{site}/?q='", headers={"Accept": "application/json"})
        assert (blocked.status_code, blocked.json()["label"]) == (403, "sqli")
        assert client.post(f"{site}/echo", content=b"x" * 100_000).status_code == 200
    assert proxy.metric("sluice_flows_total", phase="response", action="allow") > 0


def test_a_failure_is_the_policys_to_decide(proxy: Proxy, origin: Origin) -> None:
    before = proxy.metric("sluice_failures_total", cause="nan")
    with proxy.client() as client:
        assert client.get(f"{origin.plain}/{chr(POISON) * 12}").status_code == 403
        assert client.get(f"{origin.plain}/good").status_code == 200
    assert proxy.metric("sluice_failures_total", cause="nan") == before + 1
    assert proxy.metric("sluice_failures_total", cause="exception") == 0


def test_releases_are_swapped_under_many_clients(proxy: Proxy, origin: Origin, tmp_path: Path) -> None:
    failures: list[str] = []
    done = threading.Event()

    def ask() -> None:
        with proxy.client() as client:
            while not done.is_set():
                try:
                    good = client.get(f"{origin.plain}/good").status_code
                    bad = client.get(f"{origin.plain}/?q='").status_code
                except httpx.HTTPError as error:
                    failures.append(repr(error))
                    continue
                if (good, bad) != (200, 403):
                    failures.append(f"{good} {bad}")

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for number, label in enumerate((Label.XSS, Label.SQLI)):
            swaps = proxy.metric("sluice_model_swaps_total", result="ok")
            publish(proxy.state, tmp_path / str(number), label=label, weight=20.0 + number)
            proxy.wait_metric("sluice_model_swaps_total", swaps + 1, result="ok")
    finally:
        done.set()
        for thread in threads:
            thread.join(20)
    assert failures == []
    assert proxy.metric("sluice_failures_total", cause="deadline") == 0


def test_it_ends_when_it_is_told_to(proxy: Proxy) -> None:
    assert proxy.stop() == 0

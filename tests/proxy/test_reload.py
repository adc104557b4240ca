"""A running proxy follows its channel, and only to releases that prove themselves."""

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from classifier.records import Label
from classifier.registry import Registry
from harness import Proxy, publish, run_proxy
from origin import Origin


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    with run_proxy(tmp_path_factory.mktemp("reload")) as running:
        yield running


def test_a_promoted_release_takes_over_while_requests_flow(proxy: Proxy, origin: Origin, tmp_path: Path) -> None:
    failures: list[str] = []
    done = threading.Event()
    asked = [0] * 3

    def ask(worker: int) -> None:
        with proxy.client() as client:
            while not done.is_set():
                try:
                    good = client.get(f"{origin.plain}/good")
                    bad = client.get(f"{origin.plain}/bad?q='", headers={"Accept": "application/json"})
                except httpx.HTTPError as error:
                    failures.append(repr(error))
                    continue
                asked[worker] += 2
                if good.status_code != 200 or bad.status_code != 403 or bad.json()["label"] not in ("sqli", "xss"):
                    failures.append(f"{good.status_code} {bad.status_code}")

    threads = [threading.Thread(target=ask, args=(worker,)) for worker in range(3)]
    for thread in threads:
        thread.start()
    try:
        for number, label in enumerate((Label.XSS, Label.SQLI, Label.XSS)):
            swaps = proxy.metric("sluice_model_swaps_total", result="ok")
            release = publish(proxy.state, tmp_path / str(number), label=label, weight=20.0 + number)
            proxy.wait_metric("sluice_model_swaps_total", swaps + 1, result="ok")
            assert proxy.metric("sluice_model_info", release=release) == 1
            assert proxy.metric("sluice_model_info") == 1
    finally:
        done.set()
        for thread in threads:
            thread.join(20)
    assert failures == []
    assert min(asked) > 0
    assert label_of(proxy, origin) == "xss"


def test_rolling_back_is_followed_too(proxy: Proxy, origin: Origin, tmp_path: Path) -> None:
    first = publish(proxy.state, tmp_path / "one", label=Label.SQLI, weight=30.0)
    proxy.wait_metric("sluice_model_info", 1, release=first)
    second = publish(proxy.state, tmp_path / "two", label=Label.XSS, weight=30.0)
    proxy.wait_metric("sluice_model_info", 1, release=second)
    assert Registry(proxy.state).rollback() == first
    proxy.wait_metric("sluice_model_info", 1, release=first)
    assert label_of(proxy, origin) == "sqli"


def test_a_tampered_release_is_refused_and_the_old_one_stays(proxy: Proxy, origin: Origin, tmp_path: Path) -> None:
    serving = serving_release(proxy)
    refused = proxy.metric("sluice_model_swaps_total", result="refused")
    before = label_of(proxy, origin)
    registry = Registry(proxy.state)
    release = publish_unpromoted(proxy.state, tmp_path / "bad", label=Label.C2, weight=31.0)
    model = registry.path(release) / "model.onnx"
    model.write_bytes(model.read_bytes() + b"\0")
    channel = proxy.state / "models" / "channels" / "stable"
    channel.write_text(f'{{"release": "{release}", "since": "2026-01-01T00:00:00+00:00"}}')
    proxy.wait_metric("sluice_model_swaps_total", refused + 1, result="refused")
    assert (serving_release(proxy), label_of(proxy, origin)) == (serving, before)
    assert any("refused" in line and release in line for line in proxy.log().splitlines())
    time.sleep(2.5)  # longer than a poll: what was refused is not tried again and again
    assert proxy.metric("sluice_model_swaps_total", result="refused") == refused + 1
    reply = httpx.post(f"{proxy.admin}/-/reload", trust_env=False)
    assert (reply.status_code, reply.json()["result"]) == (409, "refused")
    proxy.process.send_signal(signal.SIGHUP)
    proxy.wait_metric("sluice_model_swaps_total", refused + 3, result="refused")
    registry.promote(serving)
    reply = httpx.post(f"{proxy.admin}/-/reload", trust_env=False)
    assert (reply.status_code, reply.json()["result"]) == (200, "unchanged")


def test_a_channel_that_cannot_be_read_changes_nothing(proxy: Proxy, origin: Origin) -> None:
    channel = proxy.state / "models" / "channels" / "stable"
    kept, serving = channel.read_bytes(), serving_release(proxy)
    channel.write_bytes(b"{not json")
    reply = httpx.post(f"{proxy.admin}/-/reload", trust_env=False)
    channel.write_bytes(kept)
    assert reply.status_code in (409, 500)
    assert serving_release(proxy) == serving
    with proxy.client() as client:
        assert client.get(f"{origin.plain}/fine").status_code == 200


def label_of(proxy: Proxy, origin: Origin) -> str:
    with proxy.client() as client:
        label: str = client.get(f"{origin.plain}/x?q='", headers={"Accept": "application/json"}).json()["label"]
    return label


def serving_release(proxy: Proxy) -> str:
    return next(
        dict(labels)["release"]
        for (name, labels), value in proxy.metrics().items()
        if name == "sluice_model_info" and value == 1
    )


def publish_unpromoted(state: Path, folder: Path, **options: object) -> str:
    from models import tiny_model

    folder.mkdir()
    tiny_model(folder / "model.onnx", **options)  # type: ignore[arg-type]
    return Registry(state).publish(folder)

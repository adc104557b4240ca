"""Several workers on one port: real processes that are killed, replaced, and told to stop."""

import itertools
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from classifier.registry import Registry
from harness import Proxy, publish, run_proxy
from origin import Origin
from proxy.supervisor import PAUSE, _pause

TWO = "[proxy]\nworkers = 2\n"


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, origin: Origin) -> Iterator[Proxy]:
    """A proxy of two workers."""
    with run_proxy(tmp_path_factory.mktemp("pair"), config=TWO, origin_ca=origin.ca) as proxy:
        yield proxy


def children(proxy: Proxy) -> list[int]:
    """Processes of the workers."""
    pid = proxy.process.pid
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return sorted(int(child) for task in tasks for child in task.read_text().split())


def until(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def ready(proxy: Proxy) -> bool:
    return httpx.get(f"{proxy.admin}/-/ready", trust_env=False).status_code == 200


def workers_of(proxy: Proxy) -> set[str]:
    return {path.parent.name for path in proxy.state.rglob("captures/date=*/proxy=*/*")}


@contextmanager
def load(proxy: Proxy, origin: Origin, clients: int = 4) -> Iterator[list[object]]:
    """Clients that keep their connections and ask one thing after the other until the block ends; what they got."""
    got: list[object] = []
    over = threading.Event()

    def ask(client: int) -> None:
        with proxy.client() as session:
            for number in itertools.count():
                if over.is_set():
                    return
                try:
                    got.append(session.post(f"{origin.plain}/load/{client}/{number}", content=b"x").status_code)
                except httpx.HTTPError as error:
                    got.append(error)

    threads = [threading.Thread(target=ask, args=(client,)) for client in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield got
    finally:
        over.set()
        for thread in threads:
            thread.join(30)


def test_all_workers_take_connections_and_their_metrics_are_summed(pair: Proxy, origin: Origin) -> None:
    before = pair.metric("sluice_flows_closed_total")
    with load(pair, origin, clients=8) as got:
        until(lambda: len(got) >= 200, "too slow")
    assert set(got) == {200}
    pair.wait_metric("sluice_flows_closed_total", before + len(got), coverage="full")
    assert pair.metric("sluice_flows_closed_total") == before + len(got)
    assert pair.metric("sluice_workers") == 2 == len(children(pair))
    until(lambda: workers_of(pair) == {"proxy=0", "proxy=1"}, "one worker took everything")


def test_a_new_release_reaches_every_worker(pair: Proxy, tmp_path: Path) -> None:
    before = pair.metric("sluice_model_swaps_total", result="ok")
    release = publish(pair.state, tmp_path / "next", weight=7.0)
    pair.wait_metric("sluice_model_swaps_total", before + 2, result="ok")
    assert pair.metric("sluice_model_info", release=release) == 1 == pair.metric("sluice_model_info")


def test_a_reload_by_signal_or_by_request_reaches_every_worker(pair: Proxy) -> None:
    file = pair.state.parent / "sluice.toml"
    content = file.read_text()
    before = pair.metric("sluice_policy_reloads_total", result="ok")
    file.write_text(content + '[policy]\ncontact = "first"\n')
    pair.process.send_signal(signal.SIGHUP)
    pair.wait_metric("sluice_policy_reloads_total", before + 2, result="ok")
    file.write_text(content + '[policy]\ncontact = "second"\n')
    reply = httpx.post(f"{pair.admin}/-/reload", trust_env=False, timeout=30)
    assert (reply.status_code, reply.json()["result"]) == (200, "ok")
    assert pair.metric("sluice_policy_reloads_total", result="ok") == before + 4
    file.write_text(content + '[policy]\ncontakt = "third"\n')
    reply = httpx.post(f"{pair.admin}/-/reload", trust_env=False, timeout=30)
    assert reply.status_code == 409 and reply.json()["detail"].count("policy.contakt") == 1
    file.write_text(content)


def test_a_killed_worker_is_replaced_while_the_other_serves(pair: Proxy, origin: Origin) -> None:
    restarts = pair.metric("sluice_worker_restarts_total", cause="died")
    closed = pair.metric("sluice_flows_closed_total")
    victim, other = children(pair)
    os.kill(victim, signal.SIGKILL)
    codes = []
    until(lambda: pair.metric("sluice_worker_restarts_total", cause="died") == restarts + 1, "not noticed")
    while not ready(pair):
        with pair.client() as client:
            codes.append(client.get(f"{origin.plain}/meanwhile").status_code)
    assert codes and set(codes) == {200}
    assert other in children(pair) and victim not in children(pair) and len(children(pair)) == 2
    assert pair.metric("sluice_flows_closed_total") >= closed + len(codes), "what the dead one counted is kept"
    until(lambda: pair.metric("sluice_connections") == 0, "connections of the dead one are still counted")
    assert "was ended by SIGKILL; another takes its place" in pair.log()


def test_the_proxy_cannot_be_used_to_reach_its_own_admin_port(pair: Proxy) -> None:
    with pair.client() as client:
        for _ in range(6):
            reply = client.get(f"{pair.admin}/metrics", headers={"Connection": "close"})
            assert (reply.status_code, reply.text) == (403, "Not through the proxy.\n")
    until(lambda: list((pair.state / "run").glob("proxy-*/ends/*")) == [], "ends are left")


def test_recycling_under_load_loses_no_request(folder: Path, origin: Origin) -> None:
    config = '[proxy]\nworkers = 2\nrecycle_after = "6s"\n'
    with run_proxy(folder, config=config) as proxy, load(proxy, origin) as got:
        first = set(children(proxy))
        until(lambda: proxy.metric("sluice_worker_restarts_total", cause="age") >= 2, "nobody was replaced")
        until(lambda: not first & set(children(proxy)), "the old ones are still there")
        so_far = len(got)
        until(lambda: len(got) > so_far + 20, "the new ones do not serve")
        assert ready(proxy)
    assert set(got) == {200}
    assert len([path for _, path, _ in origin.seen if path.startswith("/load/")]) >= len(got)


def test_a_second_signal_does_not_wait(folder: Path, origin: Origin) -> None:
    origin.release.clear()
    with run_proxy(folder, config=TWO) as proxy:
        thread = threading.Thread(target=slow, args=(proxy, origin))
        thread.start()
        proxy.wait_metric("sluice_uninspected_flows_total", 1, reason="streamed")
        proxy.process.send_signal(signal.SIGTERM)
        until(lambda: len(children(proxy)) == 1, "the idle worker does not end")
        began = time.monotonic()
        proxy.process.send_signal(signal.SIGTERM)
        assert proxy.process.wait(30) == 0
        assert time.monotonic() - began < 5
    origin.release.set()
    thread.join(20)


def slow(proxy: Proxy, origin: Origin) -> None:
    with proxy.client() as client, suppress(httpx.HTTPError):
        client.get(f"{origin.plain}/sse")


def test_workers_do_not_outlive_their_supervisor(folder: Path) -> None:
    with run_proxy(folder, config=TWO) as proxy:
        workers = children(proxy)
        proxy.process.kill()
        proxy.process.wait()
        until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers), "they are still there")


def test_what_can_no_longer_start_is_given_up_with_one_line(folder: Path) -> None:
    with run_proxy(folder) as proxy:
        release = Registry(proxy.state).resolve("stable")
        (proxy.state / "models" / "releases" / release / "model.onnx").unlink()
        (worker,) = children(proxy)
        os.kill(worker, signal.SIGKILL)
        assert proxy.process.wait(120) == 2
        last = proxy.log().splitlines()[-1]
        assert last.startswith("sluice: ") and release in last


@pytest.mark.parametrize(
    ("failures", "served", "seconds"),
    [
        (0, True, 0.0),
        (1, True, 0.0),
        (2, True, 0.5),
        (3, True, 1.0),
        (1, False, 0.5),
        (2, False, 1.0),
        (99, False, 30.0),
    ],
)
def test_one_who_dies_again_and_again_is_waited_for_longer(failures: int, served: bool, seconds: float) -> None:
    assert PAUSE == (0.5, 30.0)
    assert _pause(failures, served) == seconds

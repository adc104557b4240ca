"""Starting and stopping: what a person is told, and that nothing is lost."""

import os
import signal
import socket
import stat
import subprocess
import threading
from pathlib import Path

import httpx
import pytest

from classifier.store import read
from harness import SLUICE, Proxy, free_port, publish, run_proxy, sluice
from origin import Origin


def test_the_proxy_says_where_it_is(enforcing: Proxy) -> None:
    line = next(line for line in enforcing.log().splitlines() if line.startswith("Sluice"))
    for part in (enforcing.url, enforcing.admin, str(enforcing.ca), "enforce"):
        assert part in line


def test_what_is_secret_is_for_nobody_else(enforcing: Proxy) -> None:
    for name in ("ca", "captures", "keys", "run"):
        assert stat.S_IMODE((enforcing.state / name).stat().st_mode) == 0o700, name
    for name in ("ca/mitmproxy-ca.pem", "sluice.db"):
        assert stat.S_IMODE((enforcing.state / name).stat().st_mode) == 0o600, name


@pytest.mark.parametrize("option", ["--listen", "--admin"])
def test_a_port_in_use_is_one_line_and_exit_2(tmp_path: Path, option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        other = {"--listen": "--admin", "--admin": "--listen"}[option]
        done = start(tmp_path, option, f"127.0.0.1:{port}", other, f"127.0.0.1:{free_port()}")
    assert_mistake(done, f"cannot listen on 127.0.0.1:{port}", "in use", option)


def test_a_state_directory_that_cannot_be_written_is_one_line_and_exit_2(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = sluice("run", "--state", str(tmp_path / "file" / "state"))
    assert_mistake(done, "cannot write to the state directory", "--state")


def test_a_release_that_is_missing_is_one_line_and_exit_2(tmp_path: Path) -> None:
    channels = tmp_path / "models" / "channels"
    channels.mkdir(parents=True)
    (channels / "stable").write_text('{"release": "20200101-000000000000", "since": "2020-01-01T00:00:00Z"}')
    assert_mistake(start(tmp_path), "20200101-000000000000")


def test_a_bad_configuration_is_one_line_and_exit_2(tmp_path: Path) -> None:
    file = tmp_path / "sluice.toml"
    file.write_text('[proxy]\nlisen = "127.0.0.1:1"\n[policy]\nmode = "strict"\n')
    done = sluice("run", "--config", str(file), "--state", str(tmp_path / "state"))
    assert_mistake(
        done, "proxy.lisen: unknown key, did you mean listen?", "policy.mode: must be 'monitor' or 'enforce'"
    )


def test_an_unreadable_upstream_ca_is_one_line_and_exit_2(tmp_path: Path) -> None:
    publish(tmp_path / "state", tmp_path / "model")
    file = tmp_path / "sluice.toml"
    file.write_text('[proxy]\nupstream_ca = "nothing.pem"\n')
    done = start(tmp_path / "state", "--config", str(file))
    assert_mistake(done, "proxy.upstream_ca", "nothing.pem")


def test_sigterm_lets_a_flow_finish_and_seals_the_captures(folder: Path, origin: Origin) -> None:
    origin.release.clear()
    with run_proxy(folder) as proxy:
        got: list[bytes] = []

        def slow() -> None:
            with proxy.client() as client:
                got.append(client.get(f"{origin.plain}/sse").content)

        with proxy.client() as client:
            client.get(f"{origin.plain}/sealed")
        thread = threading.Thread(target=slow)
        thread.start()
        proxy.wait_metric("sluice_uninspected_flows_total", 1, reason="streamed")
        proxy.process.send_signal(signal.SIGTERM)
        wait_refused(proxy)
        origin.release.set()
        thread.join(20)
        assert proxy.process.wait(30) == 0
        assert got == [b"data: first\n\ndata: second\n\n"]
        assert [path.suffix for path in proxy.state.rglob("captures/date=*/proxy=*/*")] == [".parquet"]
        assert {row.record.path for row in read(proxy.state / "captures")} == {"/sealed", "/sse"}
        assert list((proxy.state / "run").glob("proxy-*")) == []


def test_the_first_start_serves_without_a_configuration(tmp_path: Path, origin: Origin) -> None:
    publish(tmp_path / "state", tmp_path / "model")
    listen, admin = free_port(), free_port()
    command = [*SLUICE, "run", "--listen", f"127.0.0.1:{listen}", "--admin", f"127.0.0.1:{admin}"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        assert "monitor" in process.stdout.readline()
        client = httpx.Client(proxy=f"http://127.0.0.1:{listen}", trust_env=False)
        assert client.get(f"{origin.plain}/x?q='").status_code == 200
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        process.stdout.close()
        client.close()


def start(state: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return sluice("run", "--state", str(state), *options)


def assert_mistake(done: subprocess.CompletedProcess[str], *parts: str) -> None:
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    for part in parts:
        assert part in done.stderr


def wait_refused(proxy: Proxy) -> None:
    """Until the proxy accepts no more connections."""
    host, _, port = proxy.url.removeprefix("http://").partition(":")
    for _ in range(400):
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
        except ConnectionRefusedError:
            return
        os.sched_yield()
        threading.Event().wait(0.05)
    raise AssertionError("still accepting")

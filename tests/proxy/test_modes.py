"""The ways into the proxy that a test can take without being root: asked, over SOCKS, as a site, through a parent.

Transparent mode is tried in tests/deploy/test_nftables.py, a WireGuard client and local capture are not.
"""

import socket
import stat
from pathlib import Path

import httpx
import pytest

from classifier.errors import UserError
from harness import free_port, run_proxy, sluice
from origin import Origin
from proxy import modes
from proxy.values import Address


def test_every_way_in_is_filtered(tmp_path: Path, origin: Origin) -> None:
    socks, site = free_port(), free_port()
    config = f'[proxy]\nmodes = ["regular", "socks5@127.0.0.1:{socks}", "reverse:{origin.plain}@127.0.0.1:{site}"]\n'
    with run_proxy(tmp_path, config=config) as proxy, proxy.client() as client:
        for path, status in (("/calm", 200), ("/?q='", 403)):
            assert client.get(f"{origin.plain}{path}").status_code == status
            assert httpx.get(f"http://127.0.0.1:{site}{path}", trust_env=False).status_code == status
            assert over_socks(socks, origin.plain, path) == status
        assert proxy.metric("sluice_flows_total", phase="request", action="block") == 3
        assert f"Sluice filters at {proxy.url} " in proxy.log()


def over_socks(port: int, site: str, path: str) -> int:
    """The status of a request by way of a SOCKS5 server (RFC 1928), without authentication."""
    host, _, origin = site.removeprefix("http://").partition(":")
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(b"\x05\x01\x00")
        assert connection.recv(2) == b"\x05\x00"
        connection.sendall(b"\x05\x01\x00\x03" + bytes([len(host)]) + host.encode() + int(origin).to_bytes(2))
        assert connection.recv(10)[1] == 0
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}:{origin}\r\nConnection: close\r\n\r\n".encode())
        return int(connection.recv(12)[9:12])


def test_a_parent_proxy_is_asked_for_what_passes(tmp_path: Path, origin: Origin) -> None:
    with (
        run_proxy(tmp_path / "parent", mode="monitor") as parent,
        run_proxy(tmp_path / "proxy", config=f'[proxy]\nmodes = "upstream:{parent.url}"\n') as proxy,
        proxy.client() as client,
    ):
        assert client.get(f"{origin.plain}/by-the-parent").status_code == 200
        assert client.get(f"{origin.plain}/?q='").status_code == 403
        assert parent.metric("sluice_flows_total", phase="request") == 1


def test_a_proxy_that_is_never_asked_has_a_heartbeat_all_the_same(tmp_path: Path, origin: Origin) -> None:
    config = f'[proxy]\nmodes = ["reverse:{origin.plain}"]\nheartbeat = "1s"\n'
    with run_proxy(tmp_path, config=config, shipped=True) as proxy:
        assert httpx.get(f"{proxy.url}/site", trust_env=False).text == "GET /site 0"
        proxy.wait_metric("sluice_heartbeat_total", 1, result="ok")
        assert f"Sluice filters at {proxy.url.removeprefix('http://')} (reverse:" in proxy.log()


def test_wireguard_clients_find_what_they_need_to_know(tmp_path: Path) -> None:
    config = f'[proxy]\nmodes = ["regular", "wireguard@127.0.0.1:{free_port()}"]\n'
    with run_proxy(tmp_path, config=config) as proxy:
        file = proxy.state / "keys" / "wireguard-client.conf"
        assert str(file) in proxy.log()
        assert "[Peer]" in file.read_text()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert "PrivateKey" not in proxy.log()


def test_two_modes_on_one_port_are_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "sluice.toml").write_text('[proxy]\nmodes = ["regular", "socks5"]\n')
    done = sluice("run", "--config", str(tmp_path / "sluice.toml"), "--state", str(tmp_path / "state"),
                  "--listen", f"127.0.0.1:{free_port()}", "--admin", f"127.0.0.1:{free_port()}")  # fmt: skip
    assert done.returncode == 2
    assert "proxy.modes: Cannot spawn multiple servers" in done.stderr
    assert "as in socks5@1080" in done.stderr


@pytest.mark.parametrize(
    ("told", "listening"),
    [
        (["regular"], ["regular"]),
        (["upstream:http://proxy.example:3128"], ["upstream:http://proxy.example:3128"]),
        (["transparent@8082"], ["transparent@8082", "regular@127.0.0.1:0"]),
    ],
)
def test_the_heartbeat_has_a_port_where_clients_have_none(told: list[str], listening: list[str]) -> None:
    assert modes.specs(told) == listening


async def test_mitmproxy_takes_the_settings_or_it_is_a_mistake(tmp_path: Path) -> None:
    listen = Address("127.0.0.1", 8080)
    with pytest.raises(UserError, match=r"proxy\.modes"):
        modes.master(["regular", "regular@8080"], (), listen=listen, confdir=str(tmp_path), trusted=str(tmp_path))


def test_a_tunnel_has_one_worker_only(tmp_path: Path) -> None:
    (tmp_path / "sluice.toml").write_text('[proxy]\nmodes = ["wireguard"]\nworkers = 2\n')
    done = sluice("run", "--config", str(tmp_path / "sluice.toml"), "--state", str(tmp_path / "state"))
    assert done.returncode == 2
    assert "proxy.workers" in done.stderr and "one worker only" in done.stderr

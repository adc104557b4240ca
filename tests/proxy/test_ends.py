"""Our own ends of connections to our own ports, known to every process."""

from pathlib import Path

from mitmproxy.connection import Client, Server
from mitmproxy.proxy.server_hooks import ServerConnectionHookData

from proxy.ends import Ends, forget


def connection(near: tuple[str, int], far: tuple[str, int]) -> ServerConnectionHookData:
    client = Client(peername=("10.0.0.9", 4000), sockname=("127.0.0.1", 8080), timestamp_start=0.0)
    return ServerConnectionHookData(Server(address=far, peername=far, sockname=near), client)


def test_a_connection_to_us_is_known_everywhere_while_it_is_open(tmp_path: Path) -> None:
    worker, other = Ends(tmp_path, 0, [8080, 8081]), Ends(tmp_path, 1, [])
    there = connection(("127.0.0.1", 5000), ("127.0.0.1", 8081))
    assert ("127.0.0.1", 5000) not in other
    worker.server_connected(there)
    worker.server_connected(there)
    assert ("127.0.0.1", 5000) in other
    assert ("127.0.0.1", 5001) not in other and ("::1", 5000) not in other and "127.0.0.1" not in other
    worker.server_disconnected(there)
    worker.server_disconnected(there)
    assert ("127.0.0.1", 5000) not in other


def test_a_connection_elsewhere_leaves_no_trace(tmp_path: Path) -> None:
    worker = Ends(tmp_path, 0, [8080, 8081])
    worker.server_connected(connection(("127.0.0.1", 5000), ("127.0.0.1", 443)))
    assert list(tmp_path.iterdir()) == []


def test_what_a_dead_worker_left_is_forgotten(tmp_path: Path) -> None:
    for number, port in ((0, 5000), (1, 5001)):
        Ends(tmp_path, number, [8081]).server_connected(connection(("::1", port), ("::1", 8081)))
    forget(tmp_path, 0)
    assert ("::1", 5000) not in Ends(tmp_path, 2, ()) and ("::1", 5001) in Ends(tmp_path, 2, ())

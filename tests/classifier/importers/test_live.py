"""What passes the loopback interface."""

import itertools
import socket
import struct
from collections.abc import Iterator

import pytest

import needs
from classifier.errors import UserError
from classifier.importers.live import Sniffer, watch
from classifier.records import FlowRecord

GET = b"GET /live HTTP/1.1\r\nHost: shop.example\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture
def server() -> Iterator[socket.socket]:
    """A port that listens on the loopback interface."""
    needs.listening()
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def exchange(server: socket.socket) -> None:
    """One request and its answer."""
    with socket.create_connection(server.getsockname()) as client:
        accepted, _ = server.accept()
        with accepted:
            client.sendall(GET)
            accepted.recv(len(GET))
            accepted.sendall(OK)
            client.recv(len(OK))


def test_an_exchange_is_seen_once_as_it_ends(server: socket.socket) -> None:
    port = server.getsockname()[1]
    with Sniffer("lo", f"tcp port {port}") as sniffer:
        exchange(server)
        looks = itertools.count()
        found = [each for each in watch(sniffer, lambda: next(looks) > 2) if each is not None]
        assert sniffer.seen >= 4
    (record,) = found
    assert (record.path, record.status, record.host, record.server, record.port) == (
        "/live", 200, "shop.example", "127.0.0.1", port
    )  # fmt: skip
    assert len(record.id) == 32 and record.client_port > 0 and record.time > 1e9


def test_a_flow_under_way_is_given_at_the_end(server: socket.socket) -> None:
    with (
        Sniffer("lo", f"tcp port {server.getsockname()[1]}") as sniffer,
        socket.create_connection(server.getsockname()) as client,
    ):
        client.sendall(GET)
        looks = itertools.count()
        found = [each for each in watch(sniffer, lambda: next(looks) > 1) if isinstance(each, FlowRecord)]
    assert [(record.phase, record.path) for record in found] == [("request", "/live")]


def test_the_filter_is_the_kernels(server: socket.socket) -> None:
    with Sniffer("lo", "tcp port 1") as sniffer:
        exchange(server)
        assert sniffer.frames() == [] and sniffer.seen == 0


def test_a_filter_that_is_none_is_the_users_mistake() -> None:
    needs.listening()
    with pytest.raises(UserError, match=r"--filter 'tcp prt' is no filter for lo"):
        Sniffer("lo", "tcp prt")


def test_an_unknown_interface_is_named_with_those_there_are() -> None:
    with pytest.raises(UserError, match=r"no interface nope; there is .*lo"):
        Sniffer("nope")


def test_without_the_right_one_line_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.socket

    def refuse(family: int = socket.AF_INET, *rest: int) -> socket.socket:
        """The kernel, to somebody without CAP_NET_RAW."""
        if family == socket.AF_PACKET:
            raise PermissionError(1, "Operation not permitted")
        return real(family, *rest)

    needs.listening()
    with Sniffer("lo"):  # scapy has looked at the interfaces by now
        pass
    monkeypatch.setattr(socket, "socket", refuse)
    with pytest.raises(UserError, match="needs a right: run as root"):
        Sniffer("lo")


def test_what_the_kernel_dropped_is_counted(server: socket.socket) -> None:
    with Sniffer("lo", f"tcp port {server.getsockname()[1]}") as sniffer:
        sniffer._socket.ins.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        for _ in range(20):
            exchange(server)
        sniffer.frames()
        assert sniffer.dropped > 0
    assert struct.calcsize("II") == 8

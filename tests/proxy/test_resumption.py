"""Sessions with servers are taken up again, and only with the server that they were begun with."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509

from harness import Proxy, run_proxy
from origin import _certificates


class Server:
    """A TLS server that answers one request a connection, and remembers which of them were resumed."""

    def __init__(self, folder: Path, newest: ssl.TLSVersion) -> None:
        self.resumed: list[bool] = []
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.maximum_version = newest
        self._context.load_cert_chain(_certificates(folder))
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listening.getsockname()[1]

    def run(self) -> None:
        """Until the socket is closed."""
        with contextlib.suppress(OSError):
            while True:
                self._answer(self.listening.accept()[0])

    def _answer(self, plain: socket.socket) -> None:
        with contextlib.suppress(OSError), self._context.wrap_socket(plain, server_side=True) as secured:
            while not (head := secured.recv(65536)).endswith(b"\r\n\r\n"):
                if not head:
                    return
            self.resumed.append(bool(secured.session_reused))
            secured.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")


@pytest.fixture(params=[ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["TLS 1.2", "TLS 1.3"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path, request.param)
    thread = threading.Thread(target=made.run, daemon=True)
    thread.start()
    yield made
    made.listening.shutdown(socket.SHUT_RDWR)
    made.listening.close()


@pytest.fixture
def proxy(tmp_path: Path, server: Server) -> Iterator[Proxy]:
    with run_proxy(tmp_path / "own", origin_ca=tmp_path / "origin-ca.pem") as running:
        yield running


def ask(proxy: Proxy, server: Server, name: str) -> x509.Certificate:
    """Ask once over a connection of its own; the certificate that was shown."""
    host, _, port = proxy.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=20) as tunnel:
        tunnel.sendall(f"CONNECT {name}:{server.port} HTTP/1.1\r\nHost: {name}:{server.port}\r\n\r\n".encode())
        assert b" 200 " in tunnel.recv(4096)
        with proxy.context().wrap_socket(tunnel, server_hostname=name) as secured:
            secured.sendall(f"GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
            assert secured.recv(4096).startswith(b"HTTP/1.1 200")
            return x509.load_der_x509_certificate(secured.getpeercert(binary_form=True) or b"")


def test_a_session_is_taken_up_again_and_what_is_shown_stays_the_same(proxy: Proxy, server: Server) -> None:
    shown = [ask(proxy, server, "127.0.0.1") for _ in range(4)]
    assert server.resumed[0] is False and all(server.resumed[1:])
    names = {tuple(one.extensions.get_extension_for_class(x509.SubjectAlternativeName).value) for one in shown}
    assert len(names) == 1 and x509.DNSName("localhost") in names.pop()


def test_a_server_is_asked_anew_under_another_name(proxy: Proxy, server: Server) -> None:
    for name in ("127.0.0.1", "localhost"):
        ask(proxy, server, name)
    assert server.resumed == [False, False]

"""A record as bytes on the wire, and a keep-alive connection that sends them: real HTTP/1.1 over loopback (RFC 9112).

A record says nothing of framing: bodies are decoded and whole, so headers that only speak of the connection or of the
body's length are written anew. Connections go to 127.0.0.1, never to the host that a record names.
"""

import contextlib
import re
import socket
from collections.abc import Iterator
from typing import Final

from classifier.records import FlowRecord

BROWSER: Final = (
    ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"),
    ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    ("Accept-Language", "en-US,en;q=0.5"),
)
"""What a record without any header is sent with: a rule set that looks for missing headers must not judge a table that
has none."""
FORM: Final = ("Content-Type", "application/x-www-form-urlencoded")
"""And its body is said to be a form, so that the parameters are looked into."""
SOMEWHERE: Final = "www.example.com"
"""`Host` of a record that names none."""
TIMEOUT: Final = 10.0
"""Seconds that an answer may take."""

_FRAMING: Final = frozenset(
    {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "content-length", "expect"}
)
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
_CLOSE: Final = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)


def render(record: FlowRecord) -> bytes | None:
    """The record as one request; None where a line break or NUL in its head would make it another one."""
    method = record.method or ("POST" if record.request_body else "GET")
    lines = [f"{method} {record.path or '/'} HTTP/1.1", *(f"{name}: {value}" for name, value in _headers(record))]
    if record.request_body or method in ("POST", "PUT", "PATCH"):
        lines.append(f"Content-Length: {len(record.request_body)}")
    if any(mark in line for line in lines for mark in "\r\n\0"):
        return None
    return "\r\n".join(lines).encode("utf-8", "replace") + b"\r\n\r\n" + record.request_body


def _headers(record: FlowRecord) -> Iterator[tuple[str, str]]:
    kept = [pair for pair in record.request_headers if pair[0].lower() not in _FRAMING and not pair[0].startswith(":")]
    if not any(name.lower() == "host" for name, _ in kept):
        yield "Host", _authority(record)
    yield from kept
    if not record.request_headers:
        yield from BROWSER
        if record.request_body:
            yield FORM


def _authority(record: FlowRecord) -> str:
    host = f"[{record.host}]" if ":" in record.host else record.host
    return f"{host}:{record.port}" if host and record.port not in (0, 80, 443) else host or SOMEWHERE


class Wire:
    """One keep-alive connection to a port of 127.0.0.1, made anew whenever the server closed it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None

    def ask(self, message: bytes) -> int:
        """Send one request and read its answer whole; the status, 0 for none."""
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), TIMEOUT)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        status, alive = 0, False
        with contextlib.suppress(ConnectionError):  # refused in the middle of a body: the answer may be there
            self._socket.sendall(message)
        with contextlib.suppress(OSError):
            status, alive = _answer(self._socket, message.startswith(b"HEAD "))
        if not alive:
            self.close()
        return status

    def close(self) -> None:
        """Hang up."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _answer(connection: socket.socket, bare: bool) -> tuple[int, bool]:
    """Status, and whether the connection can be used again; `bare` answers have no body. Raises OSError."""
    data = b""
    while (end := data.find(b"\r\n\r\n")) < 0:
        part = connection.recv(65536)
        if not part:
            return 0, False
        data += part
    head = data[:end]
    length = _LENGTH.search(head)
    alive = _CLOSE.search(head) is None and (bare or length is not None)
    left = int(length[1]) - (len(data) - end - 4) if length and not bare else 0
    while left > 0 and (part := connection.recv(65536)):
        left -= len(part)
    return int(head[9:12]), alive and left == 0

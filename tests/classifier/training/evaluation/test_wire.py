"""Records as HTTP/1.1 bytes, and a connection that outlives them."""

import socket
import threading
from collections.abc import Iterator

import pytest

from classifier.records import FlowRecord
from classifier.training.evaluation.wire import BROWSER, SOMEWHERE, Wire, render

AGENT = (("User-Agent", "curl/8.1.2"),)


def _head(record: FlowRecord) -> list[str]:
    message = render(record)
    assert message is not None
    return message.partition(b"\r\n\r\n")[0].decode().split("\r\n")


@pytest.mark.parametrize(
    ("record", "lines"),
    [
        (
            FlowRecord(method="GET", path="/a?b", host="x.test", request_headers=AGENT),
            ["Host: x.test", "User-Agent: curl/8.1.2"],
        ),
        (
            FlowRecord(path="/", host="x.test", port=8080, request_headers=AGENT),
            ["Host: x.test:8080", "User-Agent: curl/8.1.2"],
        ),
        (
            FlowRecord(path="/", host="x.test", port=443, request_headers=AGENT),
            ["Host: x.test", "User-Agent: curl/8.1.2"],
        ),
        (FlowRecord(path="/", host="::1", request_headers=AGENT), ["Host: [::1]", "User-Agent: curl/8.1.2"]),
        (FlowRecord(path="/", request_headers=(("a", "1"), ("host", "own.test"))), ["a: 1", "host: own.test"]),
        (FlowRecord(path="/", request_headers=((":authority", "x"), ("A", "é"))), [f"Host: {SOMEWHERE}", "A: é"]),
        (FlowRecord(path="/"), [f"Host: {SOMEWHERE}", *(f"{name}: {value}" for name, value in BROWSER)]),
    ],
)
def test_headers(record: FlowRecord, lines: list[str]) -> None:
    assert _head(record)[1:] == lines


def test_what_frames_the_message_is_written_anew() -> None:
    stale = (
        ("Content-Length", "7"),
        ("Transfer-Encoding", "chunked"),
        ("Connection", "close"),
        ("Expect", "100-continue"),
    )
    record = FlowRecord(
        method="PUT", path="/f", host="x.test", request_headers=(*AGENT, *stale), request_body=b"\0\xffabc"
    )
    assert (
        render(record)
        == b"PUT /f HTTP/1.1\r\nHost: x.test\r\nUser-Agent: curl/8.1.2\r\nContent-Length: 5\r\n\r\n\0\xffabc"
    )


@pytest.mark.parametrize(
    ("record", "first"),
    [
        (FlowRecord(path="/ä b"), "GET /ä b HTTP/1.1"),
        (FlowRecord(request_body=b"a=1"), "POST / HTTP/1.1"),
        (FlowRecord(method="PROPFIND", path="/dav"), "PROPFIND /dav HTTP/1.1"),
    ],
)
def test_request_lines(record: FlowRecord, first: str) -> None:
    assert _head(record)[0] == first


def test_a_form_is_assumed_only_where_nothing_is_known() -> None:
    assert "Content-Type: application/x-www-form-urlencoded" in _head(FlowRecord(request_body=b"a=1"))
    assert not any("Content-Type" in line for line in _head(FlowRecord(request_headers=AGENT, request_body=b"a=1")))


@pytest.mark.parametrize(
    "record",
    [
        FlowRecord(path="/a\r\nX: 1"),
        FlowRecord(path="/a\n"),
        FlowRecord(path="/", request_headers=(("A", "b\r\n\r\nGET / HTTP/1.1"),)),
        FlowRecord(path="/", request_headers=(("A\0", "b"),)),
        FlowRecord(method="GET /x HTTP/1.1\r\n", path="/"),
    ],
)
def test_what_would_be_another_request_is_none(record: FlowRecord) -> None:
    assert render(record) is None


ANSWERS = {
    b"/plain": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    b"/head": b"HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\n",
    b"/close": b"HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno",
    b"/cut": b"HTTP/1.1 200 OK\r\nContent-Le",
    b"/nothing": b"",
}


@pytest.fixture
def server() -> Iterator[tuple[int, list[int]]]:
    """Port, and how many requests each connection brought so far."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        counts: list[int] = []
        threading.Thread(target=_serve, args=(listener, counts), daemon=True).start()
        yield listener.getsockname()[1], counts


def _serve(listener: socket.socket, counts: list[int]) -> None:
    while True:
        try:
            connection = listener.accept()[0]
        except OSError:
            return
        counts.append(0)
        with connection:
            while request := connection.recv(65536):
                counts[-1] += 1
                path = request.split(b" ")[1]
                connection.sendall(ANSWERS[path])
                if path in (b"/close", b"/cut", b"/nothing"):
                    break


def test_one_connection_serves_until_it_is_closed(server: tuple[int, list[int]]) -> None:
    port, counts = server
    wire = Wire(port)
    asked = ["/plain", "/head", "/plain", "/close", "/plain", "/nothing", "/cut", "/plain"]
    statuses = [wire.ask(f"{'HEAD' if path == '/head' else 'GET'} {path} HTTP/1.1\r\n\r\n".encode()) for path in asked]
    wire.close()
    assert statuses == [200, 200, 200, 403, 200, 0, 0, 200]
    assert counts == [4, 2, 1, 1]


def test_nobody_listening_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(OSError, match="refused"):
        Wire(port).ask(b"GET / HTTP/1.1\r\n\r\n")

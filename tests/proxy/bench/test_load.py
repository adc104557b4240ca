"""The load generator against servers that behave and servers that do not."""

import asyncio
from collections.abc import Callable

import pytest

from proxy.bench import load
from proxy.bench.load import Job, Sent, Turn
from proxy.bench.origin import Connection
from proxy.bench.replies import Replies
from proxy.bench.servers import free_port

SENT: list[Sent] = [
    (b"GET /page HTTP/1.1\r\n\r\n", 200),
    (b"GET /collect HTTP/1.1\r\n\r\n", 204),
    (b"POST /form HTTP/1.1\r\nContent-Length: 2\r\n\r\nab", 303),
]


def job(port: int) -> Job:
    return Job(port=port, connections=3, warm=0.05, seconds=0.2, first=0, watched=[])


class Says(asyncio.Protocol):
    """A server that answers every piece of a request with `answer`, then closes if told to."""

    def __init__(self, answer: bytes, closes: bool) -> None:
        self.answer, self.closes = answer, closes

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(self.answer)
        if self.closes:
            self.transport.close()


async def run(server: Callable[[], asyncio.Protocol], sent: list[Sent]) -> Turn:
    listening = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0)
    async with listening:
        return await load.turn(sent, job(listening.sockets[0].getsockname()[1]))


async def test_answers_are_counted_and_timed() -> None:
    replies = Replies()
    turn = await run(lambda: Connection(replies), SENT)
    assert turn.wrong == {}
    assert turn.answered >= len(turn.times) > 0
    assert turn.times == sorted(turn.times)
    assert turn.seconds >= 0.2
    assert len(turn.cpu) == 1


@pytest.mark.parametrize(
    ("answer", "closes", "problem"),
    [
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", False, "status 403 instead of 200"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", False, "an answer without Content-Length"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", True, "the connection was closed"),
        (b"", True, "the connection was closed"),
    ],
)
async def test_a_wrong_answer_is_not_speed(answer: bytes, closes: bool, problem: str) -> None:
    turn = await run(lambda: Says(answer, closes), SENT[:1])
    assert turn.wrong == {problem: 3}


async def test_silence_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "PATIENCE", 0.2)
    turn = await run(lambda: Says(b"", False), SENT[:1])
    assert turn.answered == 0
    assert turn.wrong == {"no answer within 0.2 s": 3}


async def test_nobody_there() -> None:
    turn = await load.turn(SENT, job(free_port()))
    assert list(turn.wrong) == ["no connection (Connection refused)"]

"""Connections from a socket that several processes listen on."""

import asyncio
import socket
from collections.abc import Iterator

import pytest

from proxy.listener import Listener


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as found:
        found.setblocking(False)
        yield found


async def asked(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        return await asyncio.wait_for(reader.read(), 20)
    finally:
        writer.close()


async def test_every_connection_is_handed_over(listening: socket.socket) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        writer.close()

    listener = Listener([listening], handle)
    port = listening.getsockname()[1]
    assert await asyncio.gather(*(asked(port) for _ in range(20))) == [b"hello"] * 20
    listener.close()


async def test_what_waits_when_one_closes_is_left_to_the_others(listening: socket.socket) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        writer.close()

    port, other = listening.getsockname()[1], socket.socket(fileno=socket.dup(listening.fileno()))
    Listener([listening], handle).close()
    waiting = asyncio.get_running_loop().create_task(asked(port))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    second = Listener([other], handle)
    assert await waiting == b"hello"
    second.close()

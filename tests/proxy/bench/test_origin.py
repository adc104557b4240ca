"""The origin: whole, split and pipelined requests on one connection; and as a process."""

import asyncio
import subprocess
import sys

import httpx
import pytest

from proxy.bench.origin import Connection
from proxy.bench.replies import Replies

GET = b"GET /collect?e=1 HTTP/1.1\r\nHost: a.example\r\n\r\n"
POST = b"POST /a/submit HTTP/1.1\r\ncontent-length: 5\r\n\r\nhello"


@pytest.mark.parametrize(
    "pieces",
    [[GET + POST], [GET[:7], GET[7:] + POST], [GET + POST[:-3], POST[-3:]], [GET, POST]],
    ids=["together", "split head", "split body", "apart"],
)
async def test_requests_are_told_apart_however_they_come(pieces: list[bytes]) -> None:
    replies = Replies()
    server = await asyncio.get_running_loop().create_server(lambda: Connection(replies), "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.01)
        for method, path in (("GET", "/collect?e=1"), ("POST", "/a/submit")):
            wanted = replies.reply(method, path, compressed=False)
            assert await asyncio.wait_for(reader.readexactly(len(wanted)), 20) == wanted
        writer.close()
        await writer.wait_closed()


def test_the_process_answers_and_ends_with_its_standard_input() -> None:
    command = [sys.executable, "-m", "proxy.bench.origin"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdin is not None
        url = f"http://127.0.0.1:{int(process.stdout.readline())}"
        with httpx.Client(base_url=url, trust_env=False, timeout=20) as client:
            assert client.get("/api/v1/x").json()
            assert client.get("/a/page").text.startswith("<!doctype html>")
            assert client.post("/upload", content=b"x" * 300_000).status_code == 303
        process.stdin.close()
        assert process.wait(20) == 0

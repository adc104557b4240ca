"""The benchmark's origin, a process of its own: HTTP/1.1 with keep-alive, and no more of it than the mix needs.

python -m proxy.bench.origin      prints its port; ends with its standard input
"""

import asyncio
import re
import sys
from typing import Final

from proxy.bench.replies import Replies

_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_GZIP: Final = re.compile(rb"\r\naccept-encoding:[^\r]*gzip", re.IGNORECASE)


class Connection(asyncio.Protocol):
    """Answers one request after the other; a body is read and forgotten."""

    def __init__(self, replies: Replies) -> None:
        self._replies = replies
        self._waiting = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where answers go."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        self._waiting += data
        while (end := self._waiting.find(b"\r\n\r\n")) >= 0:
            head = self._waiting[:end]
            length = _LENGTH.search(head)
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(self._waiting) < whole:
                return
            self._waiting = self._waiting[whole:]
            method, path, _ = head.partition(b"\r\n")[0].decode("latin-1").split(" ")
            self._transport.write(self._replies.reply(method, path, compressed=_GZIP.search(head) is not None))


async def serve() -> None:
    """Serve on a free loopback port until standard input ends."""
    loop = asyncio.get_running_loop()
    replies = Replies()
    server = await loop.create_server(lambda: Connection(replies), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(serve())

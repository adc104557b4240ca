"""Connections from sockets that several processes listen on."""

import asyncio
import logging
import socket
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

log = logging.getLogger(__name__)

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]


class Listener:
    """Takes connections from `sockets`, which other processes share, and hands them to `handle`.

    One at a time: who is busy with one leaves the next to others. asyncio's own server would take all that wait.
    """

    def __init__(self, sockets: Sequence[socket.socket], handle: Handler) -> None:
        self.sockets, self._handle = sockets, handle
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[Any]] = set()
        for each in sockets:
            self._watch(each)

    def close(self) -> None:
        """Take no more. What waits in the queue stays there for the others."""
        for each in self.sockets:
            self._loop.remove_reader(each)
            each.close()
        self.sockets = ()

    def _watch(self, listening: socket.socket) -> None:
        if listening.fileno() >= 0:
            self._loop.add_reader(listening, self._accept, listening)

    def _accept(self, listening: socket.socket) -> None:
        try:
            connection, _ = listening.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return  # another process was quicker, or the client has left
        except OSError as error:  # no descriptor is left: to try again at once would only burn the processor
            log.error("no connection can be taken: %s", error.strerror)
            self._loop.remove_reader(listening)
            self._loop.call_later(1.0, self._watch, listening)
            return
        connection.setblocking(False)
        protocol = asyncio.StreamReaderProtocol(asyncio.StreamReader(loop=self._loop), self._handle, loop=self._loop)
        task = self._loop.create_task(self._loop.connect_accepted_socket(lambda: protocol, connection))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

"""The benchmark's load generator, a process of its own: keeps N connections to a proxy busy and times the answers.

    python -m proxy.bench.load AUTHORITY      one `Job` a line on standard input, one `Turn` a line on standard output

A connection sends its next request when it has the last one's answer (a closed loop), and trusts no answer whose
status is not the one that the origin gives.
"""

import asyncio
import gc
import os
import re
import sys
import time
from collections import Counter
from typing import Final

import msgspec

from proxy.bench import machine, mix, replies

SEED: Final = 0
PATIENCE: Final = 10.0
"""Seconds that the last answers of a turn may take."""
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)

Sent = tuple[bytes, int]
"""An encoded request and the status it must be answered with."""


class Job(msgspec.Struct):
    """One turn: which port of loopback, how (seconds), from where in the mix, and whose processor time to take."""

    port: int
    connections: int
    warm: float
    seconds: float
    first: int
    watched: list[int]


class Turn(msgspec.Struct):
    """What one turn showed. Times in seconds, ascending; `cpu` of the watched processes in order, then our own.

    `answered` counts all answers, `times` holds those after warming up, `wrong` says how often what went wrong.
    """

    seconds: float
    answered: int
    times: list[float]
    cpu: list[float]
    wrong: dict[str, int]


class Work:
    """What the connections of a turn share."""

    def __init__(self, sent: list[Sent], first: int) -> None:
        self._sent, self._next = sent, first
        self.times: list[float] = []
        self.wrong: Counter[str] = Counter()
        self.answered = 0
        self.over = False

    def take(self) -> Sent:
        """The next request of the mix."""
        self._next += 1
        return self._sent[self._next % len(self._sent)]


class Connection(asyncio.Protocol):
    """One request after the other until the work is over; `done` when closed."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._head = b""
        self._left: int | None = None
        """Bytes of the body still to come; None until the head is there."""
        self._open = True
        self.done = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._send()

    def connection_lost(self, error: Exception | None) -> None:
        """Closed by us, or by a proxy that should not."""
        self.fail("the connection was closed")
        self.done.set()

    def data_received(self, data: bytes) -> None:
        """Follow an answer to its end."""
        if self._left is not None:
            self._left -= len(data)
        else:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return
            self._left = self._length(self._head[:end]) - (len(self._head) - end - 4)
        if self._left <= 0 and self._open:
            self._answered()

    def fail(self, problem: str) -> None:
        """Count what went wrong, and end; what follows from that is not counted too."""
        if self._open:
            self._work.wrong[problem] += 1
            self._close()

    def _length(self, head: bytes) -> int:
        """The length of the body; a wrong status or a body of unknown length ends the connection."""
        status, length = head[9:12].decode("latin-1"), _LENGTH.search(head)
        if status != str(self._status):
            self.fail(f"status {status} instead of {self._status}")
        elif status == "200" and not length:
            self.fail("an answer without Content-Length")
        return int(length[1]) if length else 0

    def _answered(self) -> None:
        self._work.answered += 1
        self._work.times.append(time.perf_counter() - self._began)
        if self._work.over:
            self._close()
        else:
            self._send()

    def _send(self) -> None:
        request, self._status = self._work.take()
        self._head, self._left = b"", None
        self._began = time.perf_counter()
        self._transport.write(request)

    def _close(self) -> None:
        self._open = False
        self._transport.close()


async def turn(sent: list[Sent], job: Job) -> Turn:
    """Do one job."""
    work = Work(sent, job.first)
    try:
        made = [await _connect(work, job.port) for _ in range(job.connections)]
    except OSError as error:
        return Turn(0, 0, [], [], {f"no connection ({os.strerror(error.errno or 0)})": 1})
    await asyncio.sleep(job.warm)
    work.times.clear()
    began, before = time.perf_counter(), _cpu(job)
    await asyncio.sleep(job.seconds)
    seconds, after = time.perf_counter() - began, _cpu(job)
    times, work.over = sorted(work.times), True
    await _finish(work, made)
    used = [late - early for early, late in zip(before, after, strict=True)]
    return Turn(seconds, work.answered, times, used, dict(work.wrong))


async def _connect(work: Work, port: int) -> Connection:
    loop = asyncio.get_running_loop()
    return (await loop.create_connection(lambda: Connection(work), "127.0.0.1", port))[1]


async def _finish(work: Work, made: list[Connection]) -> None:
    """Let every connection have its last answer."""
    try:
        async with asyncio.timeout(PATIENCE):
            for connection in made:
                await connection.done.wait()
    except TimeoutError:
        for connection in made:
            connection.fail(f"no answer within {PATIENCE:g} s")


def encoded(authority: str) -> list[Sent]:
    """The mix, as it is sent to `authority` (HOST:PORT)."""
    return [(one.encode(authority), replies.status(one.method, one.path)) for one in mix.build(SEED)]


def _cpu(job: Job) -> list[float]:
    return [*map(machine.cpu_seconds, job.watched), time.process_time()]


def main(authority: str) -> None:
    """Do the jobs on standard input until it ends."""
    sent = encoded(authority)
    gc.freeze()
    for line in sys.stdin.buffer:
        done = asyncio.run(turn(sent, msgspec.json.decode(line, type=Job)))
        print(msgspec.json.encode(done).decode(), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])

"""What a supervisor and a worker say to each other: JSON lines over a socket that the worker inherits.

    supervisor ──▶ Order     what to do; some want an answer
    worker     ──▶ Report    how it is, once a second and whenever that has changed
                   Answer    what came of an order
                   Mistake   it ends because of something that a person must put right

The end of the line is a message too: a worker whose supervisor is gone finishes its flows and ends.
"""

import asyncio
import contextlib
import socket
from typing import Final, Literal

import msgspec

from proxy.metrics import Result

LONGEST: Final = 1 << 20
"""Bytes of a line; an answer may name every mistake of a policy."""

DRAIN: Final = 10.0
"""Seconds that flows under way are given at the end."""

Verb = Literal["poke", "reload", "apply", "drain", "retire", "stop"]


class Order(msgspec.Struct, tag=True):
    """`poke`: look for changes; `reload`, `apply`: the same, with an answer under `number`.

    `drain`: take no more connections and end with the flows under way, `DRAIN` seconds at most; `retire`: end with the
    last connection, however long it stays; `stop`: end now.
    """

    verb: Verb
    number: int = 0


class Report(msgspec.Struct, tag=True, kw_only=True):
    """`waiting`, `listen` and `place` as in `Status`; `memory` is what the process alone holds, bytes."""

    waiting: list[str]
    mode: str
    cause: str
    release: str = ""
    provider: str = ""
    listen: str = ""
    place: str = ""
    memory: int = 0


class Answer(msgspec.Struct, tag=True):
    """What came of the order of that number (None: nothing has changed), and a line about it."""

    number: int
    result: Result | None
    text: str


class Mistake(msgspec.Struct, tag=True):
    """A UserError of the worker's: its line and its exit code."""

    text: str
    code: int


Said = Report | Answer | Mistake


class Channel[T]:
    """One end. `kind` is what comes in."""

    def __init__(self, own: socket.socket, kind: type[T]) -> None:
        self._own = own
        self._decoder = msgspec.json.Decoder(kind)
        self._encoder = msgspec.json.Encoder()
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def open(self) -> None:
        """Begin, on the running loop."""
        self._reader, self._writer = await asyncio.open_unix_connection(sock=self._own, limit=LONGEST)

    def send(self, message: msgspec.Struct) -> None:
        """Say something; nobody may be there to hear it."""
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(self._encoder.encode(message) + b"\n")

    async def receive(self) -> T | None:
        """The next message; None when the other end is gone."""
        assert self._reader is not None
        try:
            line = await self._reader.readline()
            return self._decoder.decode(line) if line.endswith(b"\n") else None
        except (OSError, ValueError):  # a torn line is one of a process that has died over it
            return None

    async def close(self) -> None:
        """Say no more, once all is said."""
        if self._writer is not None:
            with contextlib.suppress(OSError):
                await self._writer.drain()
            self._writer.close()

"""Packet captures: HTTP/1 and cleartext HTTP/2 exchanges, TLS greetings, DNS, other TCP connections by their size.

Not understood: QUIC. Records come as exchanges end; those that never do come when their connection has been silent for
`IDLE` seconds of the capture, when more than `MOST` connections are open (the one silent for longest), or at the end.
"""

import io
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from classifier.importers import BadLine
from classifier.importers.connection import Connection
from classifier.importers.packets import SYN, UDP, Damaged, Packet
from classifier.importers.packets import read as packets
from classifier.importers.questions import PORT, Questions
from classifier.records import FlowRecord

IDLE: Final = 300.0
CLOSED: Final = 30.0
"""Seconds that a connection both sides have ended is kept for segments that come late."""
MOST: Final = 20_000
"""Connections followed at once."""
_SWEEP: Final = 10_000
"""Packets between looks for idle connections."""

End = tuple[str, int]


def read(file: io.BufferedReader, name: str) -> Iterator[FlowRecord | BadLine]:
    """The flows of a capture; where it is damaged, those before and a `BadLine` at the end."""
    damage: list[str] = []
    number = 0
    for number, record in enumerate(Flows().records(_until_damage(file, damage)), 1):
        yield msgspec.structs.replace(record, id=f"{name}#{number}")
    for reason in damage:
        yield BadLine(name, f"{reason}; {number} flows were read before")


class Flows:
    """The connections and questions under way."""

    def __init__(self) -> None:
        self._connections: dict[tuple[End, End], Connection] = {}
        self._questions = Questions()
        self._fed = 0

    def records(self, source: Iterable[Packet]) -> Iterator[FlowRecord]:
        """The records of all packets."""
        for packet in source:
            yield from self.feed(packet)
        yield from self.finish()

    def feed(self, packet: Packet) -> Iterator[FlowRecord]:
        """The records that a packet completes."""
        if packet.protocol == UDP:
            yield from self._datagram(packet)
        else:
            yield from self._segment(packet)
        self._fed += 1
        if self._fed % _SWEEP == 0:
            yield from self.expire(packet.time)

    def expire(self, now: float) -> Iterator[FlowRecord]:
        """What has been silent for too long at `now` (Unix seconds), and what is too much."""
        for key, connection in list(self._connections.items()):
            if connection.last < now - (CLOSED if connection.over else IDLE):
                yield from self._ended(key)
        yield from self._questions.expire(now - IDLE)

    def finish(self) -> Iterator[FlowRecord]:
        """Nothing more will come: what is still under way."""
        for key in list(self._connections):
            yield from self._ended(key)
        yield from self._questions.expire(float("inf"))

    def _segment(self, packet: Packet) -> Iterator[FlowRecord]:
        key = (min(packet.source, packet.target), max(packet.source, packet.target))
        connection = self._connections.pop(key, None)
        if connection is not None and connection.renewed(packet):
            yield from connection.finish()
            connection = None
        if connection is None:
            if not packet.payload and not packet.flags & SYN:
                return  # an acknowledgement says nothing of who called whom
            connection = Connection(packet)
        self._connections[key] = connection  # the last one now: the first is the one silent for longest
        yield from connection.feed(packet)
        if len(self._connections) > MOST:
            yield from self._ended(next(iter(self._connections)))

    def _datagram(self, packet: Packet) -> Iterator[FlowRecord]:
        if PORT in (packet.source[1], packet.target[1]):
            record = self._questions.feed(packet.source, packet.target, packet.payload, packet.time)
            if record is not None:
                yield record

    def _ended(self, key: tuple[End, End]) -> Iterator[FlowRecord]:
        yield from self._connections.pop(key).finish()


def _until_damage(file: io.BufferedReader, damage: list[str]) -> Iterator[Packet]:
    """The packets; `damage` says afterwards why they ended early, if they did."""
    try:
        yield from packets(file)
    except Damaged as error:
        damage.append(str(error))

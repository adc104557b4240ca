"""Packet captures: HTTP/1 exchanges, TLS greetings, DNS over UDP, and other TCP connections by their size.

Not understood: HTTP/2 without TLS, QUIC, DNS over TCP, fragments. Records come as exchanges end; those that never
do come when their connection has been silent for `IDLE` seconds of the capture, or at its end.
"""

import io
import struct
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from classifier.importers import BadLine
from classifier.importers.connection import Connection
from classifier.importers.packets import SYN, UDP, Damaged, Packet
from classifier.importers.packets import read as packets
from classifier.records import FlowRecord

IDLE: Final = 300.0
_SWEEP: Final = 10_000
"""Packets between looks for idle connections."""
_DNS: Final = 53

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
        self._questions: dict[tuple[End, End, int], Any] = {}

    def records(self, source: Iterator[Packet]) -> Iterator[FlowRecord]:
        """The records of all packets."""
        for number, packet in enumerate(source, 1):
            if packet.protocol == UDP:
                yield from self._datagram(packet)
            else:
                yield from self._segment(packet)
            if number % _SWEEP == 0:
                yield from self._expire(packet.time - IDLE)
        yield from self._expire(float("inf"))

    def _segment(self, packet: Packet) -> Iterator[FlowRecord]:
        key = (min(packet.source, packet.target), max(packet.source, packet.target))
        connection = self._connections.get(key)
        if connection is not None and connection.renewed(packet):
            yield from connection.finish()
            connection = None
        if connection is None:
            if not packet.payload and not packet.flags & SYN:
                return  # an acknowledgement says nothing of who called whom
            connection = self._connections[key] = Connection(packet)
        yield from connection.feed(packet)

    def _datagram(self, packet: Packet) -> Iterator[FlowRecord]:
        from mitmproxy.dns import DNSMessage

        if _DNS not in (packet.source[1], packet.target[1]):
            return
        try:
            message = DNSMessage.unpack_from(packet.payload, 0, packet.time)[1]
        except (struct.error, ValueError, IndexError):
            return
        if message.query:
            self._questions[packet.source, packet.target, message.id] = message
        else:
            asked = self._questions.pop((packet.target, packet.source, message.id), message)
            yield _dns(packet.target[0], asked, message)

    def _expire(self, before: float) -> Iterator[FlowRecord]:
        for key, connection in list(self._connections.items()):
            if connection.last < before:
                yield from connection.finish()
                del self._connections[key]
        for asked, message in list(self._questions.items()):
            if message.timestamp < before:
                yield _dns(asked[0][0], message, None)
                del self._questions[asked]


def _dns(client: str, question: Any, answer: Any) -> FlowRecord:
    from classifier.importers.mitm import message

    fields = message(question, answer)
    return FlowRecord(client=client, port=_DNS, phase="request" if answer is None else "response", **fields)


def _until_damage(file: io.BufferedReader, damage: list[str]) -> Iterator[Packet]:
    """The packets; `damage` says afterwards why they ended early, if they did."""
    try:
        yield from packets(file)
    except Damaged as error:
        damage.append(str(error))

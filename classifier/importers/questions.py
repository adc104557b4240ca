"""DNS questions and their answers as records, over UDP and TCP (RFC 1035 §4.2, RFC 7766).

Only port 53: the names that machines call out on the local link (mDNS, LLMNR) reach no resolver and no proxy.
"""

import struct
from collections.abc import Iterator
from typing import Any, Final

from classifier.importers.reassembly import Gap
from classifier.records import FlowRecord

PORT: Final = 53

End = tuple[str, int]


class Questions:
    """Questions that wait for their answers."""

    def __init__(self) -> None:
        self._asked: dict[tuple[End, End, int], Any] = {}

    def feed(self, source: End, target: End, payload: bytes, moment: float) -> FlowRecord | None:
        """A message seen at `moment` (Unix seconds); the exchange when it is an answer."""
        from mitmproxy.dns import DNSMessage

        try:
            message = DNSMessage.unpack_from(payload, 0, moment)[1]
        except (struct.error, ValueError, IndexError):
            return None
        if message.query:
            self._asked[source, target, message.id] = message
            return None
        return _record(target, source, self._asked.pop((target, source, message.id), message), message)

    def expire(self, before: float) -> Iterator[FlowRecord]:
        """Questions asked before that moment (Unix seconds) that nobody answered."""
        for asked, message in list(self._asked.items()):
            if message.timestamp < before:
                yield _record(asked[0], asked[1], message, None)
                del self._asked[asked]


class Messages:
    """One direction of DNS over TCP: each message stands behind its length."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._lost = False

    def feed(self, data: bytes | Gap) -> Iterator[bytes]:
        """Bytes in order; the messages they complete. Nothing tells where one begins after a gap."""
        if isinstance(data, Gap):
            self._lost = True
            return
        if self._lost:
            return
        self._buffer += data
        while len(self._buffer) >= 2 and len(self._buffer) >= (end := 2 + int.from_bytes(self._buffer[:2])):
            yield bytes(self._buffer[2:end])
            del self._buffer[:end]


def _record(client: End, server: End, question: Any, answer: Any) -> FlowRecord:
    from classifier.importers.mitm import message

    return FlowRecord(
        client=client[0],
        client_port=client[1],
        server=server[0],
        port=PORT,
        phase="request" if answer is None else "response",
        **message(question, answer),
    )

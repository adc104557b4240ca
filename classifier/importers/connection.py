"""One TCP connection of a capture as records: HTTP exchanges, a TLS greeting, DNS, or an opaque connection.

    segments ──▶ two `Order`s ──▶ what the client's first bytes say: HTTP/1, HTTP/2, TLS or none ──▶ FlowRecords

A CONNECT ends HTTP in the client's direction; what follows is looked at anew, so that TLS in a tunnel is seen. After
`101 Switching Protocols` to h2c the connection is HTTP/2, after any other it is opaque.
"""

from collections import deque
from collections.abc import Iterator
from typing import Any, Literal

from classifier.importers.address import authority, split
from classifier.importers.http1 import REPLY, REQUEST, Message, Parser
from classifier.importers.http2 import PREFACE, Exchange, Session, Side
from classifier.importers.packets import ACK, FIN, RST, SYN, Packet
from classifier.importers.questions import PORT, Messages, Questions
from classifier.importers.reassembly import Gap, Order
from classifier.importers.tls import START, Greeting
from classifier.ja4 import Hello, ja4
from classifier.records import REPLY_CAP, FlowRecord, text

Protocol = Literal["", "http", "http2", "tls", "dns", "other"]


class Connection:
    """A connection from its first packet on. `over` is set once both sides have ended it."""

    def __init__(self, first: Packet) -> None:
        self.client, self.server = _ends(first)
        self.start = self.last = first.time
        self.over = False
        self._whole = False
        """Whether the beginning was captured, so that the first bytes are the first."""
        self._orders = {self.client: Order(), self.server: Order()}
        self._sizes = {self.client: 0, self.server: 0}
        self._ended: set[tuple[str, int]] = set()
        self._speaks: Protocol = "dns" if self.server[1] == PORT else ""
        self._up, self._down = Parser(replies=False), Parser(replies=True)
        self._greeting = Greeting()
        self._session: Session | None = None
        self._questions = Questions()
        self._messages = {self.client: Messages(), self.server: Messages()}
        self._requests: deque[Message] = deque()
        self._replies: deque[Message] = deque()
        self._target = ("", 0)
        self._told = False

    def renewed(self, packet: Packet) -> bool:
        """Whether a packet begins another connection between the same ends."""
        return packet.flags & (SYN | ACK) == SYN and (self.over or any(self._sizes.values()))

    def feed(self, packet: Packet) -> Iterator[FlowRecord]:
        """A packet of this connection; the records it completes."""
        self.last = packet.time
        order = self._orders[packet.source]
        if packet.flags & SYN:
            order.begin(packet.seq + 1 & 0xFFFFFFFF)
            self._whole = True
        elif packet.payload and not self.over:
            self._sizes[packet.source] += len(packet.payload)
            for part in order.feed(packet.seq, packet.payload):
                yield from self._part(packet.source, part)
        if packet.flags & FIN:
            self._ended.add(packet.source)
        self.over = self.over or bool(packet.flags & RST) or len(self._ended) == 2

    def finish(self) -> Iterator[FlowRecord]:
        """Nothing more will come: what is still under way."""
        for end, order in self._orders.items():
            for part in order.finish():
                yield from self._part(end, part)
        yield from self._pair(self._up.finish(), self._down.finish())
        if self._session is not None:
            yield from self._exchanges(self._session.finish())
        yield from self._answers(self._questions.expire(float("inf")))
        while self._requests:
            yield self._exchange(self._requests.popleft(), None)
        while self._replies:
            yield self._exchange(None, self._replies.popleft())
        if not self._told and any(self._sizes.values()):
            yield self._opaque()

    def _part(self, source: tuple[str, int], part: bytes | Gap) -> Iterator[FlowRecord]:
        up = source == self.client
        if up and not self._speaks and isinstance(part, bytes):
            self._speaks = self._listen(part)
        if self._speaks == "http2":
            self._session = self._session or Session()
            side: Side = "up" if up else "down"
            yield from self._exchanges(self._session.feed(side, part, self.last))
        elif self._speaks == "dns":
            yield from self._answers(self._heard(source, part))
        elif self._speaks == "tls" and up and isinstance(part, bytes):
            yield from self._greet(part)
        elif self._speaks == "http" and up:
            yield from self._pair(self._up.feed(part, self.last), [])
            if self._up.tunnel:
                yield from self._enter()
        elif self._speaks in ("", "http") and not up:
            yield from self._reply(part)

    def _listen(self, part: bytes) -> Protocol:
        if REQUEST.match(part):
            return "http"
        if PREFACE.startswith(part[: len(PREFACE)]):
            return "http2"
        if START.match(part):
            return "tls"
        return "other" if self._whole else ""

    def _reply(self, part: bytes | Gap) -> Iterator[FlowRecord]:
        replies = self._down.feed(part, self.last)
        if not self._down.tunnel:
            yield from self._pair([], replies)
            return
        switch = replies.pop()
        yield from self._pair([], replies)
        rest, self._speaks = self._down.rest(), "other"
        if "h2c" in switch.header("upgrade").lower() and self._requests:
            self._speaks, self._session = "http2", Session(self._requests.popleft())
            yield from self._part(self.server, rest)
        else:
            yield from self._pair([], [switch])

    def _heard(self, source: tuple[str, int], part: bytes | Gap) -> Iterator[FlowRecord]:
        target = self.server if source == self.client else self.client
        for message in self._messages[source].feed(part):
            answered = self._questions.feed(source, target, message, self.last)
            if answered is not None:
                yield answered

    def _answers(self, records: Iterator[FlowRecord]) -> Iterator[FlowRecord]:
        for record in records:
            self._told = True
            yield record

    def _exchanges(self, found: Iterator[Exchange]) -> Iterator[FlowRecord]:
        for request, reply in found:
            yield self._exchange(request, reply)

    def _enter(self) -> Iterator[FlowRecord]:
        """After a CONNECT: look anew."""
        rest = self._up.rest()
        self._up, self._speaks = Parser(replies=False), ""
        if rest:
            yield from self._part(self.client, rest)

    def _greet(self, part: bytes) -> Iterator[FlowRecord]:
        hello = self._greeting.feed(part)
        if hello is not None:
            yield self._hello(hello)
        if self._greeting.done:
            self._speaks = "other"

    def _pair(self, requests: list[Message], replies: list[Message]) -> Iterator[FlowRecord]:
        """Replies answer requests in order (RFC 9112 §9.3.2), whichever of the two the capture shows first."""
        self._requests += requests
        self._down.asked += [request.method for request in requests[len(self._replies) :]]
        self._replies += replies
        while self._requests and self._replies:
            yield self._exchange(self._requests.popleft(), self._replies.popleft())

    def _exchange(self, request: Message | None, reply: Message | None) -> FlowRecord:
        self._told = True
        seen = request or reply
        assert seen is not None
        asked = {} if request is None else self._asked(request)
        answered = {} if reply is None else _answered(reply, seen.time)
        known: dict[str, Any] = {"host": self.server[0], "port": self.server[1]} | asked | answered
        return FlowRecord(
            kind="http",
            phase="request" if reply is None else "response",
            time=seen.time,
            **self._ends(),
            scheme="http",
            http_version=seen.version,
            **known,
        )

    def _asked(self, request: Message) -> dict[str, object]:
        host, port = authority(request.authority or request.header("host"))
        path = request.target
        if request.method == "CONNECT":
            host, port = self._target = authority(path)
            path = ""
        elif not path.startswith("/") and "://" in path:
            _, host, port, path = split(path)
        return {
            "host": host or self._target[0] or self.server[0],
            "port": port or self._target[1] or self.server[1],
            "method": request.method,
            "path": path,
            "request_headers": request.headers,
            "request_body": request.body,
            "bytes_up": request.size,
        }

    def _ends(self) -> dict[str, Any]:
        return {"client": self.client[0], "client_port": self.client[1], "server": self.server[0]}

    def _hello(self, hello: Hello) -> FlowRecord:
        self._told = True
        return FlowRecord(
            kind="tls",
            phase="connect",
            time=self.last,
            **self._ends(),
            host=self._target[0] or hello.sni or self.server[0],
            port=self._target[1] or self.server[1],
            sni=hello.sni,
            alpn=tuple(text(name) for name in hello.alpn),
            ja4=ja4(hello),
        )

    def _opaque(self) -> FlowRecord:
        return FlowRecord(
            kind="tcp",
            phase="end",
            time=self.start,
            **self._ends(),
            host=self.server[0],
            port=self.server[1],
            bytes_up=self._sizes[self.client],
            bytes_down=self._sizes[self.server],
            seconds=max(self.last - self.start, 0.0),
        )


def _answered(reply: Message, asked: float) -> dict[str, object]:
    return {
        "status": reply.status,
        "response_headers": reply.headers,
        "response_body": reply.body[:REPLY_CAP],
        "bytes_down": reply.size,
        "seconds": max(reply.end - asked, 0.0),
    }


def _ends(first: Packet) -> tuple[tuple[str, int], tuple[str, int]]:
    """Client and server. Without a handshake: by what is said, else the lower port serves."""
    ends = first.source, first.target
    if first.flags & SYN:
        return ends if not first.flags & ACK else ends[::-1]
    if REPLY.match(first.payload):
        return ends[::-1]
    if REQUEST.match(first.payload) or START.match(first.payload):
        return ends
    return ends if first.source[1] > first.target[1] else ends[::-1]

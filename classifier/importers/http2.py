"""Cleartext HTTP/2 as it passes by (RFC 9113): both directions of a connection in, exchanges out.

hyperframe reads frames and hpack header blocks; h2 itself would take part in the conversation. The header tables of a
direction are lost with its first gap (RFC 7541 §2.3.2), so what follows a gap is not read.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple

from classifier.importers.http1 import Message
from classifier.importers.reassembly import Gap
from classifier.records import Headers, text

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
VERSION: Final = "HTTP/2.0"
UPGRADED: Final = 1
"""The stream that a request becomes which asked for the upgrade (RFC 7540 §3.2)."""
_FRAME_LIMIT: Final = 1024 * 1024
"""Bytes of a frame at most; the usual limit is 16 KiB, and larger ones must be agreed on."""
_HEADERS_LIMIT: Final = 256 * 1024
_STREAMS: Final = 1000
"""Streams under way that are remembered; the oldest is given as it is when another begins."""
_HEADER: Final = 9

Side = Literal["up", "down"]


class Exchange(NamedTuple):
    """A request and its reply, either of which may not have been seen."""

    request: Message | None
    reply: Message | None


@dataclass(slots=True)
class _Stream:
    messages: dict[Side, Message] = field(default_factory=dict)
    ended: set[Side] = field(default_factory=set)

    def exchange(self) -> Exchange:
        return Exchange(self.messages.get("up"), self.messages.get("down"))


class Session:
    """One connection. `request` is the HTTP/1.1 request that the connection was upgraded with."""

    def __init__(self, request: Message | None = None) -> None:
        self._streams: dict[int, _Stream] = {}
        self._sides = {"up": _Side(len(PREFACE)), "down": _Side(0)}
        if request is not None:
            self._streams[UPGRADED] = _Stream({"up": request}, {"up"})

    def feed(self, side: Side, data: bytes | Gap, moment: float) -> Iterator[Exchange]:
        """Bytes that a side sent, in order, seen at `moment` (Unix seconds); the exchanges they complete."""
        for frame in self._sides[side].feed(data):
            yield from self._frame(side, frame, moment)

    def finish(self) -> Iterator[Exchange]:
        """Nothing more will come: what is still under way."""
        streams, self._streams = self._streams, {}
        yield from (stream.exchange() for stream in streams.values() if stream.messages)

    def _frame(self, side: Side, frame: Any, moment: float) -> Iterator[Exchange]:
        kind, number = type(frame).__name__, frame.stream_id
        if kind in ("HeadersFrame", "PushPromiseFrame", "ContinuationFrame"):
            yield from self._headers(side, frame, moment)
        elif kind == "DataFrame" and (message := self._message(side, number)):
            message.take(frame.data)
            message.end = moment
        ended = "END_STREAM" in frame.flags or kind == "RstStreamFrame"
        if ended and (stream := self._streams.get(number)):
            stream.ended |= {"up", "down"} if kind == "RstStreamFrame" else {side}
            if len(stream.ended) == 2:
                del self._streams[number]
                yield stream.exchange()

    def _headers(self, side: Side, frame: Any, moment: float) -> Iterator[Exchange]:
        """A part of a header block. A push promises a reply to a request that nobody sent."""
        block = self._sides[side].block(frame)
        if block is None:
            return
        number = block.promised or frame.stream_id
        teller: Side = "up" if block.promised else side
        stream = self._streams.get(number)
        if stream is None:
            if len(self._streams) >= _STREAMS:
                yield self._streams.pop(next(iter(self._streams))).exchange()
            stream = self._streams[number] = _Stream()
        interim = block.get(":status", "").startswith("1")
        if teller not in stream.messages and not interim:  # later ones are trailers
            stream.messages[teller] = _message(block, moment)
        if block.promised:
            stream.ended.add(teller)

    def _message(self, side: Side, number: int) -> Message | None:
        stream = self._streams.get(number)
        return stream.messages.get(side) if stream else None


class _Block(dict[str, str]):
    """A header block: pseudo headers by name, the others in `rest`; `promised` is the stream a push will use."""

    rest: Headers = ()
    promised = 0


class _Side:
    """Frames and header blocks of one direction; `skip` bytes come before the first."""

    def __init__(self, skip: int) -> None:
        from hpack import Decoder

        self._decoder = Decoder(_HEADERS_LIMIT)
        self._decoder.max_allowed_table_size = 1024 * 1024  # what the other side allows is its own business
        self._buffer = bytearray()
        self._skip = skip
        self._lost = False
        self._fragments = bytearray()
        self._promised = 0

    def feed(self, data: bytes | Gap) -> Iterator[Any]:
        """The frames that are complete now."""
        if isinstance(data, Gap):
            self._lose()
        elif not self._lost:
            self._buffer += data
        if self._skip and len(self._buffer) >= self._skip:
            del self._buffer[: self._skip]
            self._skip = 0
        while not self._skip and (frame := self._next()) is not None:
            yield frame

    def block(self, frame: Any) -> _Block | None:
        """The headers that a frame completes."""
        from hpack import HPACKError

        self._promised = getattr(frame, "promised_stream_id", self._promised)
        self._fragments += frame.data
        if "END_HEADERS" not in frame.flags and len(self._fragments) <= _HEADERS_LIMIT:
            return None
        block = _Block()
        block.promised, self._promised = self._promised, 0
        try:
            pairs = self._decoder.decode(bytes(self._fragments), raw=True)
        except HPACKError:
            self._lose()
            return None
        finally:
            self._fragments.clear()
        named = [(text(bytes(name)), text(bytes(value))) for name, value in pairs]
        block.update((name, value) for name, value in named if name.startswith(":"))
        block.rest = tuple((name, value) for name, value in named if not name.startswith(":"))
        return block

    def _next(self) -> Any:
        from hyperframe.exceptions import HyperframeError
        from hyperframe.frame import Frame

        if self._lost or len(self._buffer) < _HEADER:
            return None
        try:
            frame, size = Frame.parse_frame_header(memoryview(bytes(self._buffer[:_HEADER])))
            if size <= _FRAME_LIMIT and len(self._buffer) < _HEADER + size:
                return None
            frame.parse_body(memoryview(bytes(self._buffer[_HEADER : _HEADER + size])))
        except (HyperframeError, ValueError):
            size = _FRAME_LIMIT + 1
        if size > _FRAME_LIMIT:
            self._lose()
            return None
        del self._buffer[: _HEADER + size]
        return frame

    def _lose(self) -> None:
        self._lost = True
        self._buffer.clear()


def _message(block: _Block, moment: float) -> Message:
    status = block.get(":status", "")
    return Message(
        time=moment,
        end=moment,
        version=VERSION,
        method=block.get(":method", ""),
        target=block.get(":path", ""),
        authority=block.get(":authority", ""),
        status=int(status) if status.isascii() and status.isdigit() and len(status) == 3 else 0,
        headers=block.rest,
    )

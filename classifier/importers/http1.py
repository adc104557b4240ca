"""HTTP/1 messages out of a stream of bytes (RFC 9112), one direction at a time, gaps allowed.

`Parser.feed` takes bytes in order and gives the messages they complete. Bodies are kept up to `BODY_CAP` as they
are on the wire, counted to their end. What cannot be followed is dropped until a segment begins with a new message:
a capture may start anywhere, lack packets, or turn into another protocol after an upgrade.
"""

import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from classifier.importers.coding import decode
from classifier.importers.reassembly import Gap
from classifier.records import BODY_CAP, Headers, text

REQUEST: Final = re.compile(rb"(?!PRI \* HTTP/2)[A-Z][A-Z_-]{2,31} (?:/|\*|[A-Za-z0-9\[])")
REPLY: Final = re.compile(rb"HTTP/\d(?:\.\d)? ?\d{3}")
_HEAD_LIMIT: Final = 256 * 1024
_END: Final = re.compile(rb"\n\r?\n")
"""Of a head; begins with a letter that searching can jump to."""
_VERSION: Final = re.compile(r"HTTP/\d(?:\.\d)?")
UNTIL_CLOSE: Final = -1


@dataclass(slots=True)
class Message:
    """A request (`method`, `target`) or a reply (`status`). `size` counts the body on the wire, without chunk headers.

    `time` and `end` are when its first and last byte were seen, in Unix seconds.
    """

    time: float
    end: float
    version: str = ""
    method: str = ""
    target: str = ""
    authority: str = ""
    """HTTP/2's name for the host."""
    status: int = 0
    headers: Headers = ()
    raw: bytearray = field(default_factory=bytearray)
    size: int = 0
    torn: bool = False

    def header(self, name: str) -> str:
        """All values of a header, joined by commas (RFC 9110 §5.3)."""
        return ", ".join(value for key, value in self.headers if key.lower() == name)

    @property
    def body(self) -> bytes:
        """The body decoded, at most `BODY_CAP` bytes."""
        return decode(bytes(self.raw), self.header("content-encoding"))

    def take(self, data: bytes | bytearray) -> None:
        """Count a part of the body, and keep it while it joins on to what is kept."""
        self.size += len(data)
        if not self.torn and len(self.raw) < BODY_CAP:
            self.raw += data[: BODY_CAP - len(self.raw)]


class Parser:
    """Messages of one direction. `asked` are the methods of requests whose replies are still to come."""

    def __init__(self, *, replies: bool) -> None:
        self.asked: deque[str] = deque()
        self.tunnel = False
        """Set when a CONNECT request or a switch of protocols was read: what follows belongs to something else."""
        self._start = REPLY if replies else REQUEST
        self._replies = replies
        self._buffer = bytearray()
        self._message: Message | None = None
        self._left = 0
        self._time = 0.0
        self._done: list[Message] = []
        self._step: Callable[[Parser], bool] = Parser._lost

    def feed(self, data: bytes | Gap, moment: float) -> list[Message]:
        """Bytes in order, seen at `moment`; the messages they complete."""
        self._time = moment
        if isinstance(data, Gap):
            self._gap(data.size)
        else:
            self._buffer += data
        return self._follow()

    def finish(self) -> list[Message]:
        """The connection ended: the message that was under way, if any."""
        if self._message is not None:
            self._complete()
        return self._taken()

    def rest(self) -> bytes:
        """What was read and belongs to no message; it is forgotten here."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        return rest

    def _follow(self) -> list[Message]:
        while self._buffer and not self.tunnel and self._step(self):
            pass
        return self._taken()

    def _taken(self) -> list[Message]:
        done, self._done = self._done, []
        return done

    # ── states: each returns whether it got further ──────────────────────────────────────────────────────────────

    def _lost(self) -> bool:
        if self._start.match(self._buffer):
            self._step = Parser._head
            return True
        self._buffer.clear()
        return False

    def _head(self) -> bool:
        while self._buffer and self._buffer[0] in b"\r\n":
            del self._buffer[0]
        if self._message is None:
            self._message = Message(self._time, self._time)
        end = _END.search(self._buffer)
        if end is None:
            if len(self._buffer) > _HEAD_LIMIT or (len(self._buffer) > 64 and not self._start.match(self._buffer)):
                self._lose()
            return False
        lines = text(bytes(self._buffer[: end.start()])).removesuffix("\r").replace("\r\n", "\n").split("\n")
        if not self._start.match(self._buffer) or not self._first(lines[0]):
            self._lose()
            return True
        self._message.headers = _headers(lines[1:])
        del self._buffer[: end.end()]
        self._frame()
        return True

    def _sized(self) -> bool:
        self._body(self._left)
        if self._left == 0:
            self._complete()
        return True

    def _until_close(self) -> bool:
        self._body(len(self._buffer))
        return True

    def _chunk(self) -> bool:
        """A chunk's size line, or the trailers after the last (RFC 9112 §7.1)."""
        line, newline, _ = self._buffer.partition(b"\n")
        if not newline:
            if len(line) > 4096:
                self._lose()
            return False
        try:
            self._left = int(line.partition(b";")[0].strip() or b"0", 16)
        except ValueError:
            self._complete()
            self._lose()
            return True
        del self._buffer[: len(line) + 1]
        self._step = Parser._chunk_data if self._left > 0 else Parser._trailer
        return True

    def _chunk_data(self) -> bool:
        self._body(self._left)
        if self._left == 0:
            self._step = Parser._chunk_end
        return True

    def _chunk_end(self) -> bool:
        if len(self._buffer) < 2 and self._buffer != b"\n":
            return False
        del self._buffer[: 2 if self._buffer[:2] == b"\r\n" else self._buffer[:1] == b"\n"]
        self._step = Parser._chunk
        return True

    def _trailer(self) -> bool:
        line, newline, _ = self._buffer.partition(b"\n")
        if not newline:
            return False
        del self._buffer[: len(line) + 1]
        if not line.strip():
            self._complete()
        return True

    # ── parts of a message ───────────────────────────────────────────────────────────────────────────────────────

    def _first(self, line: str) -> bool:
        """The start line; False when it is none."""
        message = self._message
        assert message is not None
        if self._replies:
            message.version, _, told = line.partition(" ")
            message.status = int(told[:3]) if told[:3].isdigit() else 0
            return message.status > 0
        message.method, _, target = line.partition(" ")
        before, _, version = target.rstrip().rpartition(" ")
        # HTTP/0.9 and attacks leave the version out; targets of attacks hold spaces.
        message.target, message.version = (before, version) if _VERSION.fullmatch(version) else (target.rstrip(), "")
        return bool(message.target)

    def _frame(self) -> None:
        """Where the body ends (RFC 9112 §6.3)."""
        message = self._message
        assert message is not None
        method = self.asked.popleft() if self._replies and self.asked else message.method
        length = message.header("content-length").partition(",")[0].strip()
        if self._replies and 100 <= message.status < 200 and message.status != 101:
            self.asked.appendleft(method)  # the real reply is still to come
            self._message, self._step = None, Parser._head
        elif method == "CONNECT" and (not self._replies or message.status < 300):
            self.tunnel = not self._replies
            self._complete()
        elif self._replies and (method == "HEAD" or message.status in (101, 204, 304)):
            self.tunnel = message.status == 101
            self._complete()
        elif "chunked" in message.header("transfer-encoding").lower():
            self._step = Parser._chunk
        elif length.isascii() and length.isdigit() and len(length) < 16:
            self._left, self._step = int(length), Parser._sized
            if self._left == 0:
                self._complete()
        elif self._replies:
            self._left, self._step = UNTIL_CLOSE, Parser._until_close
        else:
            self._complete()

    def _body(self, size: int) -> None:
        assert self._message is not None
        part = self._buffer[:size]
        self._message.take(part)
        self._left -= len(part)
        del self._buffer[: len(part)]

    def _complete(self) -> None:
        """The message is over."""
        message, self._message = self._message, None
        self._step = Parser._head
        if message is not None and (message.method or message.status):
            message.end = self._time
            self._done.append(message)

    def _lose(self) -> None:
        self._message = None
        self._buffer.clear()
        self._step = Parser._lost

    def _gap(self, size: int) -> None:
        """Bytes are missing: a body of known size goes on after them, anything else is lost."""
        if self._message is not None:
            self._message.torn = True
        sized = self._step == Parser._sized and size <= self._left
        if sized or self._step == Parser._until_close:
            assert self._message is not None
            self._message.size += size
            self._left -= size
            if sized and self._left == 0:
                self._complete()
            return
        if self._step != Parser._head:
            self._complete()
        self._lose()


def _headers(lines: list[str]) -> Headers:
    """Header lines; one that begins with a space continues the one before (RFC 9112 §5.2)."""
    found: list[tuple[str, str]] = []
    for line in lines:
        if line[:1] in (" ", "\t") and found:
            found[-1] = (found[-1][0], f"{found[-1][1]} {line.strip()}")
        elif line:
            name, _, value = line.partition(":")
            found.append((name.strip(), value.strip()))
    return tuple(found)

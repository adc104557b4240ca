"""The ClientHello at the start of a TLS stream (RFC 8446 §5.1), over as many records and segments as it takes."""

import re
from typing import Final

from classifier.ja4 import Hello, parse

START: Final = re.compile(rb"\x16\x03[\x00-\x04]")
"""A handshake record; version 3.4 and above do not occur in its header."""
_LIMIT: Final = 64 * 1024
"""A hello is a few kilobytes even with post-quantum keys; what is longer is something else."""


class Greeting:
    """Collects bytes until the ClientHello is whole. `done` is set then, or once there will be none."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._message = bytearray()
        self.done = False

    def feed(self, data: bytes) -> Hello | None:
        """Bytes in order; the hello with the last of them."""
        self._buffer += data
        while len(self._buffer) >= 5 and not self.done:
            end = 5 + int.from_bytes(self._buffer[3:5])
            if self._buffer[0] != 22:
                self.done = True
            if len(self._buffer) < end:
                break
            self._message += self._buffer[5:end]
            del self._buffer[:end]
            if len(self._message) >= 4 + int.from_bytes(self._message[1:4]) > 4:
                return self._parse()
        self.done = self.done or len(self._buffer) + len(self._message) > _LIMIT
        return None

    def _parse(self) -> Hello | None:
        self.done = True
        try:
            return parse(bytes(self._message))
        except ValueError:
            return None

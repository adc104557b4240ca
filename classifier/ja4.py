"""ClientHello messages (RFC 8446 §4.1.2) and their JA4 fingerprint.

    JA4 = protocol, version, SNI, number of ciphers and extensions, ALPN _ hash of ciphers _ hash of extensions

JA4 is FoxIO's method for TLS clients, BSD-3-Clause (https://github.com/FoxIO-LLC/ja4, technical_details/JA4.md).
The other methods of that family (JA4S, JA4H, JA4X, …) have another licence and are not here.
"""

import hashlib
import struct
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

SNI, SIGNATURES, ALPN, VERSIONS = 0x0000, 0x000D, 0x0010, 0x002B
"""Extension numbers that the fingerprint reads."""
_NAMES: Final = {0x0304: "13", 0x0303: "12", 0x0302: "11", 0x0301: "10", 0x0300: "s3", 0x0002: "s2",
                 0xFEFF: "d1", 0xFEFD: "d2", 0xFEFC: "d3"}  # fmt: skip
_NONE: Final = "0" * 12


class Hello(NamedTuple):
    """What a client offers. Numbers are as on the wire, GREASE values (RFC 8701) included."""

    version: int
    ciphers: tuple[int, ...]
    extensions: tuple[tuple[int, bytes], ...]

    @property
    def sni(self) -> str:
        """The server's name, empty where there is none."""
        data = self.extension(SNI)
        return data[5:].decode("ascii", "replace").lower() if len(data) > 5 else ""

    @property
    def alpn(self) -> tuple[bytes, ...]:
        """The protocols offered, in order."""
        return tuple(_strings(self.extension(ALPN)[2:]))

    def extension(self, number: int) -> bytes:
        """The data of the first extension of that number, empty where there is none."""
        return next((data for found, data in self.extensions if found == number), b"")


def parse(message: bytes) -> Hello:
    """Read a ClientHello handshake message (type 1, with its 4-byte header). Raises ValueError."""
    try:
        if message[0] != 1:
            raise ValueError(f"handshake message of type {message[0]}, not a ClientHello")
        (version,) = struct.unpack_from(">H", message, 4)
        start = 4 + 2 + 32
        start += 1 + message[start]
        (size,) = struct.unpack_from(">H", message, start)
        ciphers = struct.unpack_from(f">{size // 2}H", message, start + 2)
        start += 2 + size
        start += 1 + message[start]
        return Hello(version, ciphers, tuple(_extensions(message[start + 2 :])))
    except (IndexError, struct.error):
        raise ValueError("the ClientHello is cut short") from None


def ja4(hello: Hello, *, transport: str = "t") -> str:
    """The fingerprint of a client; `transport` is t (TCP), q (QUIC) or d (DTLS)."""
    ciphers = _tame(hello.ciphers)
    numbers = _tame(number for number, _ in hello.extensions)
    hashed = [f"{number:04x}" for number in sorted(numbers) if number not in (SNI, ALPN)]
    signed = [f"{number:04x}" for number in _tame(_words(hello.extension(SIGNATURES)[2:]))]
    named = "d" if any(number == SNI for number, _ in hello.extensions) else "i"
    start = f"{transport}{_version(hello)}{named}{min(len(ciphers), 99):02}{min(len(numbers), 99):02}{_alpn(hello)}"
    tail = ",".join(hashed) + ("_" + ",".join(signed) if signed else "")
    return f"{start}_{_hash(','.join(f'{number:04x}' for number in sorted(ciphers)))}_{_hash(tail if hashed else '')}"


def _version(hello: Hello) -> str:
    """The highest version offered; in TLS 1.3 the hello's own version field is frozen at 1.2."""
    offered = _tame(_words(hello.extension(VERSIONS)[1:]))
    return _NAMES.get(max(offered, default=hello.version), "00")


def _alpn(hello: Hello) -> str:
    """First and last character of the first protocol; of its hexadecimal form where these are not alphanumeric."""
    first = next(iter(hello.alpn), b"")
    if not first:
        return "00"
    ends = first[:1] + first[-1:]
    if ends.isalnum() and ends.isascii():
        return ends.decode("ascii")
    return first.hex()[0] + first.hex()[-1]


def _tame(numbers: Iterable[int]) -> list[int]:
    """Without GREASE: values like 0x2a2a that clients mix in at random."""
    return [number for number in numbers if number & 0x0F0F != 0x0A0A or number >> 8 != number & 0xFF]


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:12] if text else _NONE


def _words(data: bytes) -> tuple[int, ...]:
    return struct.unpack_from(f">{len(data) // 2}H", data)


def _strings(data: bytes) -> Iterator[bytes]:
    while data:
        yield data[1 : 1 + data[0]]
        data = data[1 + data[0] :]


def _extensions(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= 4:
        number, size = struct.unpack_from(">HH", data)
        yield number, data[4 : 4 + size]
        data = data[4 + size :]

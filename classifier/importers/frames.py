"""The frames of a pcap or pcapng file, as scapy's raw readers give them: nothing is dissected here."""

import io
import logging
import struct
from collections.abc import Iterator
from typing import Any, Final, NamedTuple, cast

_LARGEST: Final = 64 * 1024 * 1024
"""Bytes read at once at most: what a damaged length asks for beyond that is no packet (tcpdump writes 256 KiB)."""


class Frame(NamedTuple):
    """A captured frame. `time` is Unix seconds, `link` its link type (https://www.tcpdump.org/linktypes.html)."""

    time: float
    link: int
    data: bytes


class Damaged(ValueError):
    """The capture file is not one, or it ends within a packet."""


def read(file: io.BufferedReader) -> Iterator[Frame]:
    """The frames of a capture file. Raises Damaged where it cannot go on."""
    from scapy.error import Scapy_Exception
    from scapy.utils import RawPcapNgReader, RawPcapReader

    # What scapy has to say of a damaged file, we say ourselves.
    logging.getLogger("scapy").setLevel(logging.CRITICAL)
    tail = _Tail(file)
    try:
        reader: Any = RawPcapReader(cast(Any, tail))  # or its sibling for pcapng, by the first bytes
        if isinstance(reader, RawPcapNgReader):
            yield from map(_from_ng, reader)
        else:
            yield from _from_pcap(reader, tail)
        if tail.torn:
            raise Damaged("the file ends within a packet")
    except (Scapy_Exception, struct.error, EOFError, IndexError, KeyError, TypeError) as error:
        raise Damaged(f"not a readable capture ({error})") from None


class _Tail:
    """A file that remembers whether it ended in the middle of a read; scapy says nothing of that."""

    def __init__(self, file: io.BufferedReader) -> None:
        self._file = file
        self.torn = False

    def read(self, size: int) -> bytes:
        if size > _LARGEST:
            raise Damaged(f"a packet of {size:,} bytes")
        data = self._file.read(size)
        self.torn = self.torn or 0 < len(data) < size
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


def _from_pcap(reader: Any, tail: _Tail) -> Iterator[Frame]:
    tick, link = (1e-9 if reader.nano else 1e-6), reader.linktype
    for data, told in reader:
        tail.torn = tail.torn or bool(told.caplen and not data)
        yield Frame(told.sec + told.usec * tick, link, data)


def _from_ng(packet: tuple[bytes, Any]) -> Frame:
    data, told = packet
    ticks = ((told.tshigh or 0) << 32) + (told.tslow or 0)
    return Frame(ticks / (told.tsresol or 1_000_000), told.linktype, data)

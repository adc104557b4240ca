"""Captured packets down to their TCP segments and UDP datagrams.

scapy reads the file; headers are taken apart with `struct`, since dissecting every packet with scapy is 80 times
slower. Understood: Ethernet with VLAN tags and PPPoE, Linux cooked captures, 802.11 data frames, loopback, raw IP;
IPv4 and IPv6 with extension headers. Fragments other than the first are passed over.
"""

import io
import struct
from collections.abc import Callable, Iterator
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Any, Final, NamedTuple, cast

TCP, UDP = 6, 17
FIN, SYN, RST, ACK = 1, 2, 4, 16


class Packet(NamedTuple):
    """A TCP segment or UDP datagram. `time` is Unix seconds, `seq` and `flags` are 0 for UDP."""

    time: float
    protocol: int
    source: tuple[str, int]
    target: tuple[str, int]
    seq: int
    flags: int
    payload: bytes


class Damaged(ValueError):
    """The capture file is not one, or it ends within a packet."""


def read(file: io.BufferedReader) -> Iterator[Packet]:
    """The packets of a pcap or pcapng file that carry TCP or UDP. Raises Damaged where it cannot go on."""
    for moment, link, frame in _frames(file):
        unwrap = _LINKS.get(link)
        if unwrap is None:
            raise Damaged(f"link type {link} is not supported")
        try:
            packet = _ip(unwrap(frame), moment)
        except (IndexError, struct.error, AddressValueError):
            continue  # cut within its headers: nothing to be had from it
        if packet is not None:
            yield packet


def _frames(file: io.BufferedReader) -> Iterator[tuple[float, int, bytes]]:
    """Time, link type and bytes of each packet."""
    import logging

    from scapy.error import Scapy_Exception
    from scapy.utils import RawPcapNgReader, RawPcapReader

    # What scapy has to say of a damaged file, we say ourselves.
    logging.getLogger("scapy").setLevel(logging.CRITICAL)
    tail = _Tail(file)
    try:
        reader: Any = RawPcapReader(cast(Any, tail))  # or its sibling for pcapng, by the first bytes
        for frame, told in reader:
            if isinstance(reader, RawPcapNgReader):
                yield _from_ng(frame, told)
            else:
                yield _from_pcap(reader, frame, told)
                tail.torn = tail.torn or bool(told.caplen and not frame)
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
        data = self._file.read(size)
        self.torn = self.torn or 0 < len(data) < size
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


def _from_pcap(reader: Any, frame: bytes, told: Any) -> tuple[float, int, bytes]:
    return told.sec + told.usec * (1e-9 if reader.nano else 1e-6), reader.linktype, frame


def _from_ng(frame: bytes, told: Any) -> tuple[float, int, bytes]:
    ticks = ((told.tshigh or 0) << 32) + (told.tslow or 0)
    return ticks / (told.tsresol or 1_000_000), told.linktype, frame


def _ethernet(frame: bytes) -> bytes:
    return _ethertype(frame, 12)


def _ethertype(frame: bytes, start: int) -> bytes:
    """The IP packet after an EtherType at `start`, through VLAN tags and PPPoE; empty where there is none."""
    (kind,) = struct.unpack_from(">H", frame, start)
    while kind in (0x8100, 0x88A8, 0x9100):
        start += 4
        (kind,) = struct.unpack_from(">H", frame, start)
    if kind == 0x8864:
        return frame[start + 10 :]  # PPPoE's six bytes and PPP's two
    return frame[start + 2 :] if kind in (0x0800, 0x86DD) else b""


def _wifi(frame: bytes) -> bytes:
    """An 802.11 data frame with LLC/SNAP; empty for management, control and encrypted frames."""
    control = frame[0]
    if control >> 2 & 3 != 2 or frame[1] & 0x40 or control & 0x40:
        return b""
    start = 24 + (6 if frame[1] & 3 == 3 else 0) + (2 if control & 0x80 else 0)
    return _ethertype(frame, start + 6) if frame[start : start + 3] == b"\xaa\xaa\x03" else b""


def _radiotap(frame: bytes) -> bytes:
    (size,) = struct.unpack_from("<H", frame, 2)
    return _wifi(frame[size:])


# https://www.tcpdump.org/linktypes.html
_LINKS: Final[dict[int, Callable[[bytes], bytes]]] = {
    0: lambda frame: frame[4:],
    1: _ethernet,
    9: lambda frame: frame[4:],
    12: lambda frame: frame,
    14: lambda frame: frame,
    101: lambda frame: frame,
    105: _wifi,
    108: lambda frame: frame[4:],
    113: lambda frame: _ethertype(frame, 14),
    119: lambda frame: _wifi(frame[144:]),
    127: _radiotap,
    228: lambda frame: frame,
    229: lambda frame: frame,
    276: lambda frame: _ethertype(frame[:2], 0) or frame[20:],
}


def _ip(packet: bytes, moment: float) -> Packet | None:
    if not packet:
        return None
    if packet[0] >> 4 == 4:
        return _ipv4(packet, moment)
    return _ipv6(packet, moment) if packet[0] >> 4 == 6 else None


def _ipv4(packet: bytes, moment: float) -> Packet | None:
    size = (packet[0] & 15) * 4
    total, _, fragment, _, protocol = struct.unpack_from(">HHHBB", packet, 2)
    if fragment & 0x1FFF or size < 20:
        return None
    # A length of 0 is what offloading leaves; otherwise what follows it is padding.
    body = packet[size : total or None]
    return _transport(protocol, str(IPv4Address(packet[12:16])), str(IPv4Address(packet[16:20])), body, moment)


def _ipv6(packet: bytes, moment: float) -> Packet | None:
    (length, protocol) = struct.unpack_from(">HB", packet, 4)
    body = packet[40 : 40 + length if length else None]
    while protocol in (0, 43, 44, 60):
        if protocol == 44:
            if struct.unpack_from(">H", body, 2)[0] & 0xFFF8:
                return None
            protocol, body = body[0], body[8:]
        else:
            protocol, body = body[0], body[8 + body[1] * 8 :]
    return _transport(protocol, str(IPv6Address(packet[8:24])), str(IPv6Address(packet[24:40])), body, moment)


def _transport(protocol: int, source: str, target: str, body: bytes, moment: float) -> Packet | None:
    if protocol not in (TCP, UDP):
        return None
    near, far = struct.unpack_from(">HH", body)
    ends = (source, near), (target, far)
    if protocol == UDP:
        return Packet(moment, UDP, *ends, 0, 0, body[8:])
    (seq,) = struct.unpack_from(">I", body, 4)
    return Packet(moment, TCP, *ends, seq, body[13], body[(body[12] >> 4) * 4 :])

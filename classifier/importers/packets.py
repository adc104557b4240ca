"""Captured frames down to their TCP segments and UDP datagrams.

Headers are taken apart with `struct`: dissecting every packet with scapy is 80 times slower. Understood: Ethernet with
VLAN tags and PPPoE, Linux cooked captures, 802.11 data frames, loopback, raw IP; IPv4 and IPv6 with extension headers,
fragments of both.
"""

import io
import struct
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from socket import AF_INET, AF_INET6, inet_ntop
from typing import Final, NamedTuple

from classifier.importers import frames
from classifier.importers.fragments import Fragments
from classifier.importers.frames import Damaged, Frame

__all__ = ["Damaged", "Packet", "decode", "read"]

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


def read(file: io.BufferedReader) -> Iterator[Packet]:
    """The packets of a pcap or pcapng file that carry TCP or UDP. Raises Damaged where it cannot go on."""
    yield from decode(frames.read(file))


def decode(source: Iterable[Frame], fragments: Fragments | None = None) -> Iterator[Packet]:
    """The packets in frames that carry TCP or UDP. Raises Damaged after the last when links were not understood.

    `fragments` are those that wait from frames before these.
    """
    fragments = Fragments() if fragments is None else fragments
    unknown: set[int] = set()
    for moment, link, data in source:
        unwrap = LINKS.get(link)
        if unwrap is None:
            unknown.add(link)
            continue
        try:
            packet = _ip(unwrap(data), moment, fragments)
        except (IndexError, struct.error, ValueError):
            continue  # cut within its headers: nothing to be had from it
        if packet is not None:
            yield packet
    if unknown:
        raise Damaged(f"link type {', '.join(map(str, sorted(unknown)))} is not supported")


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


LINKS: Final[dict[int, Callable[[bytes], bytes]]] = {
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
"""How to find the IP packet in a frame, by link type (https://www.tcpdump.org/linktypes.html)."""


def _ip(packet: bytes, moment: float, fragments: Fragments) -> Packet | None:
    if not packet:
        return None
    if packet[0] >> 4 == 4:
        return _ipv4(packet, moment, fragments)
    return _ipv6(packet, moment, fragments) if packet[0] >> 4 == 6 else None


def _ipv4(packet: bytes, moment: float, fragments: Fragments) -> Packet | None:
    size = (packet[0] & 15) * 4
    total, name, fragment, _, protocol = _IPV4.unpack_from(packet, 2)
    if size < 20:
        return None
    # A length of 0 is what offloading leaves; otherwise what follows it is padding.
    body: bytes | None = packet[size : total or None]
    if fragment & 0x3FFF and body is not None:
        key = packet[12:20], name, protocol
        body = fragments.add(key, (fragment & 0x1FFF) * 8, body, more=bool(fragment & 0x2000))
    return _transport(protocol, packet[12:16], packet[16:20], body, moment)


def _ipv6(packet: bytes, moment: float, fragments: Fragments) -> Packet | None:
    (length, protocol) = struct.unpack_from(">HB", packet, 4)
    body: bytes | None = packet[40 : 40 + length if length else None]
    while body is not None and protocol in (0, 43, 44, 60):
        if protocol == 44:
            place, name = struct.unpack_from(">HI", body, 2)
            protocol, body = body[0], body[8:]
            if place & 0xFFF9:
                body = fragments.add((packet[8:40], name), place & 0xFFF8, body, more=bool(place & 1))
        else:
            protocol, body = body[0], body[8 + body[1] * 8 :]
    return _transport(protocol, packet[8:24], packet[24:40], body, moment)


def _transport(protocol: int, source: bytes, target: bytes, body: bytes | None, moment: float) -> Packet | None:
    if body is None:
        return None
    if protocol == TCP:
        near, far, seq, _, offset, flags = _TCP.unpack_from(body)
        ends = (_address(source), near), (_address(target), far)
        return Packet(moment, TCP, *ends, seq, flags, body[(offset >> 4) * 4 :])
    if protocol == UDP:
        near, far = struct.unpack_from(">HH", body)
        return Packet(moment, UDP, (_address(source), near), (_address(target), far), 0, 0, body[8:])
    return None


_IPV4: Final = struct.Struct(">HHHBB")
_TCP: Final = struct.Struct(">HHIIBB")


@lru_cache(maxsize=4096)
def _address(raw: bytes) -> str:
    return inet_ntop(AF_INET if len(raw) == 4 else AF_INET6, raw)

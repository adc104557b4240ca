"""Frames of many link layers down to one segment."""

import contextlib
import io
import struct
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.dot11 import Dot11, RadioTap
from scapy.layers.inet import IP, TCP, UDP, fragment
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop, fragment6
from scapy.layers.l2 import LLC, SNAP, CookedLinux, CookedLinuxV2, Dot1Q, Ether, Loopback
from scapy.layers.ppp import PPP, PPPoE

from classifier.importers import packets
from classifier.importers.packets import ACK, Damaged, Packet

SEGMENT = TCP(sport=1234, dport=80, seq=7, flags="PA", options=[("NOP", None)] * 4) / b"hello"
FOUR = IP(src="192.0.2.1", dst="192.0.2.2") / SEGMENT
SIX = IPv6(src="2001:db8::1", dst="2001:db8::2") / SEGMENT


def capture(frames: Sequence[Any], link: int = 1, *, order: str = "<", nano: bool = False) -> bytes:
    """A pcap file."""
    magic = 0xA1B23C4D if nano else 0xA1B2C3D4
    raw = struct.pack(f"{order}IHHIIII", magic, 2, 4, 0, 0, 65_535, link)
    for number, frame in enumerate(frames):
        data = bytes(frame)
        raw += struct.pack(f"{order}IIII", 100 + number, 500_000_000 if nano else 500_000, len(data), len(data)) + data
    return raw


def read(raw: bytes) -> list[Packet]:
    return list(packets.read(io.BufferedReader(io.BytesIO(raw))))


@pytest.mark.parametrize(
    ("link", "frame"),
    [
        (1, Ether() / FOUR),
        (1, Ether() / SIX),
        (1, Ether() / FOUR / b""),
        (1, Ether() / Dot1Q(vlan=5) / FOUR),
        (1, Ether(type=0x88A8) / Dot1Q(vlan=5) / Dot1Q(vlan=6) / SIX),
        (1, Ether() / PPPoE() / PPP() / FOUR),
        (1, Ether() / (IPv6(src="2001:db8::1", dst="2001:db8::2") / IPv6ExtHdrHopByHop() / SEGMENT)),
        (0, Loopback() / FOUR),
        (101, FOUR),
        (101, SIX),
        (113, CookedLinux() / FOUR),
        (276, CookedLinuxV2(proto=0x0800) / FOUR),
        (105, Dot11(type=2, FCfield=1) / LLC() / SNAP() / FOUR),
        (127, RadioTap() / Dot11(type=2, subtype=8) / b"\x00\x00" / LLC() / SNAP() / SIX),
    ],
)
def test_link_layers(link: int, frame: Any) -> None:
    (packet,) = read(capture([frame], link))
    ends = (
        ("2001:db8::1", "2001:db8::2")
        if IPv6 in frame or b"\x20\x01\x0d\xb8" in bytes(frame)
        else ("192.0.2.1", "192.0.2.2")
    )
    assert packet == Packet(100.5, packets.TCP, (ends[0], 1234), (ends[1], 80), 7, 8 | ACK, b"hello")


def test_padding_is_no_payload() -> None:
    (packet,) = read(capture([bytes(Ether() / FOUR) + bytes(20)]))
    assert packet.payload == b"hello"


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("nano", [False, True])
def test_byte_orders_and_clocks(order: str, nano: bool) -> None:
    (packet,) = read(capture([Ether() / FOUR], order=order, nano=nano))
    assert packet.time == 100.5


def test_datagrams() -> None:
    (packet,) = read(capture([Ether() / IP(src="192.0.2.1", dst="192.0.2.2") / UDP(sport=5, dport=53) / b"x"]))
    assert packet == Packet(100.5, packets.UDP, ("192.0.2.1", 5), ("192.0.2.2", 53), 0, 0, b"x")


@pytest.mark.parametrize(
    "frame",
    [
        Ether() / IP(frag=5) / b"later fragment",
        Ether() / IPv6() / IPv6ExtHdrFragment(offset=5) / b"later",
        Ether(type=0x0806) / b"arp",
        Ether() / IP(proto=1) / b"icmp",
        b"short",
        b"",
        bytes(Ether() / FOUR)[:40],
    ],
)
def test_what_carries_no_segment_is_passed_over(frame: Any) -> None:
    assert len(read(capture([frame, Ether() / FOUR]))) == 1


@pytest.mark.parametrize("first", [0, 1])
def test_fragments_are_put_together(first: int) -> None:
    data = UDP(sport=5, dport=53) / (b"x" * 30)
    four = fragment(  # type: ignore[no-untyped-call]
        IP(src="192.0.2.1", dst="192.0.2.2", id=9) / data, fragsize=16
    )
    six = fragment6(  # type: ignore[no-untyped-call]
        IPv6(src="2001:db8::1", dst="2001:db8::2") / IPv6ExtHdrFragment(id=9) / UDP(sport=5, dport=53) / (b"y" * 1392),
        1280,
    )
    for frames, size in ((four, 30), (six, 1392)):
        parts = [Ether() / part for part in frames]
        assert len(parts) > 1
        (packet,) = read(capture(parts[first:] + parts[:first]))
        assert len(packet.payload) == size


def test_an_unknown_link_is_named_after_the_others_were_read() -> None:
    with pytest.raises(Damaged, match="link type 147"):
        read(capture([FOUR], 147))


@pytest.mark.parametrize("cut", [1, 30, 63])
def test_a_file_cut_within_a_packet_says_so_after_the_others(cut: int) -> None:
    raw = capture([Ether() / FOUR, Ether() / FOUR])
    stream = packets.read(io.BufferedReader(io.BytesIO(raw[:-cut])))
    assert next(stream).payload == b"hello"
    with pytest.raises(Damaged):
        list(stream)


@given(st.binary(max_size=120), st.sampled_from([0, 1, 101, 105, 113, 127, 276]))
def test_any_frame_is_survived(frame: bytes, link: int) -> None:
    read(capture([frame], link))


@given(st.binary(max_size=80), st.sampled_from([b"\xd4\xc3\xb2\xa1", b"\n\r\r\n", b""]))
def test_any_file_is_read_or_damaged(rest: bytes, magic: bytes) -> None:
    with contextlib.suppress(Damaged):
        read(magic + rest)

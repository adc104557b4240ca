"""Captures made here: conversations in, records out."""

import io
import struct
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from scapy.layers.dns import DNS, DNSQR, DNSRR
from scapy.layers.inet import IP, TCP, UDP
from scapy.packet import Packet
from scapy.utils import wrpcap, wrpcapng

from classifier import importers
from classifier.importers import BadLine, pcap
from classifier.importers.packets import Packet as Seen
from classifier.records import FlowRecord

CLIENT, SERVER = "192.0.2.1", "198.51.100.2"
GET = b"GET /a?b=c HTTP/1.1\r\nHost: shop.example\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

Flows = Callable[..., list[FlowRecord]]


def talk(*turns: tuple[str, bytes], port: int = 4000, to: int = 80, whole: bool = True) -> Iterator[Packet]:
    """A conversation: turns of ("up" | "down", bytes), with handshake and farewell when `whole`."""
    up = IP(src=CLIENT, dst=SERVER) / TCP(sport=port, dport=to)
    down = IP(src=SERVER, dst=CLIENT) / TCP(sport=to, dport=port)
    seq = {"up": 1000, "down": 2**32 - 3}  # wraps soon
    if whole:
        yield up / b""
        up[TCP].flags, up[TCP].seq = "S", 999
        yield up.copy()
        down[TCP].flags, down[TCP].seq = "SA", 2**32 - 4
        yield down.copy()
    for side, data in turns:
        packet = (up if side == "up" else down).copy()
        packet[TCP].flags, packet[TCP].seq = "PA", seq[side] % 2**32
        seq[side] += len(data)
        yield packet / data
    for side, packet in (("up", up), ("down", down)) if whole else ():
        packet[TCP].flags, packet[TCP].seq = "FA", seq[side] % 2**32
        yield packet.copy()


@pytest.fixture
def flows(tmp_path: Path) -> Flows:
    def read(packets: Iterable[Packet], name: str = "x.pcap") -> list[FlowRecord]:
        stamped = list(packets)
        for number, packet in enumerate(stamped):
            packet.time = 1000.0 + number
        (wrpcapng if name.endswith("ng") else wrpcap)(str(tmp_path / name), stamped)
        found = list(importers.read(tmp_path / name))
        assert not any(isinstance(each, BadLine) for each in found)
        return found  # type: ignore[return-value]

    return read


@pytest.mark.parametrize("name", ["x.pcap", "x.pcapng"])
def test_a_request_and_its_reply(flows: Flows, name: str, tmp_path: Path) -> None:
    (record,) = flows(talk(("up", GET), ("down", OK)), name)
    assert record == FlowRecord(
        id=f"{tmp_path / name}#1", kind="http", phase="response", time=1003.0, client=CLIENT, client_port=4000,
        server=SERVER, host="shop.example", port=80, method="GET", scheme="http", path="/a?b=c",
        http_version="HTTP/1.1", request_headers=(("Host", "shop.example"),), status=200,
        response_headers=(("Content-Length", "5"),), response_body=b"hello", bytes_down=5, seconds=1.0,
    )  # fmt: skip


def test_pipelined_requests_are_paired_in_order(flows: Flows) -> None:
    found = flows(
        talk(("up", GET + GET.replace(b"/a", b"/b")), ("down", OK[:20]), ("down", OK[20:] + OK.replace(b"200", b"404")))
    )
    assert [(record.path[:2], record.status) for record in found] == [("/a", 200), ("/b", 404)]


def test_reordered_and_repeated_segments(flows: Flows) -> None:
    packets = list(talk(("up", GET[:9]), ("up", GET[9:30]), ("up", GET[30:]), ("down", OK)))
    packets[3:6] = [packets[5], packets[3], packets[3], packets[4], packets[5]]
    (record,) = flows(packets)
    assert (record.path, record.status) == ("/a?b=c", 200)


def test_a_request_without_reply_and_a_reply_without_request(flows: Flows) -> None:
    found = flows([*talk(("up", GET), whole=False), *talk(("down", OK), port=4001, whole=False)])
    assert {(record.phase, record.method, record.status, record.host) for record in found} == {
        ("request", "GET", 0, "shop.example"),
        ("response", "", 200, SERVER),
    }


def test_a_port_used_again_is_another_connection(flows: Flows) -> None:
    found = flows([*talk(("up", GET), ("down", OK)), *talk(("up", GET), ("down", OK))])
    assert [record.status for record in found] == [200, 200]


def test_an_absolute_target_names_the_host(flows: Flows) -> None:
    (record,) = flows(talk(("up", b"GET http://other.example:81/x?y HTTP/1.1\r\nHost: shop.example\r\n\r\n")))
    assert (record.host, record.port, record.path) == ("other.example", 81, "/x?y")


def test_a_tunnel_and_what_is_in_it(flows: Flows) -> None:
    connect = ("up", b"CONNECT shop.example:443 HTTP/1.1\r\n\r\n"), ("down", b"HTTP/1.1 200 OK\r\n\r\n")
    first, second = flows(talk(*connect, ("up", GET.replace(b"Host: shop.example\r\n", b"")), ("down", OK), to=8080))
    assert (first.method, first.host, first.port, first.status) == ("CONNECT", "shop.example", 443, 200)
    assert (second.method, second.host, second.status) == ("GET", "shop.example", 200)


def http2() -> tuple[bytes, bytes]:
    """What both sides of one exchange say."""
    client, server = (H2Connection(H2Configuration(client_side=side)) for side in (True, False))
    client.initiate_connection()
    server.initiate_connection()
    client.send_headers(
        1, [(":method", "GET"), (":path", "/two"), (":authority", "h2.example:81"), (":scheme", "http")]
    )
    client.end_stream(1)
    up = client.data_to_send()
    server.receive_data(up)
    server.send_headers(1, [(":status", "200")])
    server.send_data(1, b"hello", end_stream=True)
    return up, server.data_to_send()


def test_cleartext_http2(flows: Flows) -> None:
    up, down = http2()
    (record,) = flows(talk(("up", up[:30]), ("up", up[30:]), ("down", down)))
    assert (record.http_version, record.method, record.host, record.port) == ("HTTP/2.0", "GET", "h2.example", 81)
    assert (record.path, record.status, record.response_body, record.client_port) == ("/two", 200, b"hello", 4000)


def test_an_upgrade_to_http2(flows: Flows) -> None:
    switch = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    up, down = http2()
    (record,) = flows(talk(("up", GET), ("down", switch + down), ("up", up[:24])))
    assert (record.http_version, record.path, record.status) == ("HTTP/1.1", "/a?b=c", 200)


def test_after_another_upgrade_the_connection_is_opaque(flows: Flows) -> None:
    switch = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
    (record,) = flows(talk(("up", GET), ("down", switch + b"\x81\x05hello"), ("up", GET)))
    assert (record.path, record.status) == ("/a?b=c", 101)


def test_dns_over_tcp(flows: Flows) -> None:
    question = DNSQR(qname="a.example", qtype="TXT")
    up = bytes(DNS(id=1, qd=question))
    down = bytes(DNS(id=1, qr=1, qd=question, an=DNSRR(rrname="a.example", type="TXT", rdata=b"x")))
    up, down = (len(each).to_bytes(2) + each for each in (up, down))
    first, second = flows(talk(("up", up[:1]), ("up", up[1:]), ("down", down), ("up", up), to=53))
    assert (first.kind, first.qname, first.rcode, first.client_port, first.server) == (
        "dns", "a.example", "NOERROR", 4000, SERVER
    )  # fmt: skip
    assert (second.phase, second.rcode) == ("request", "")


def test_connections_beyond_the_most_end_with_the_one_silent_for_longest(
    flows: Flows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pcap, "MOST", 2)
    opened = [packet for port in (1, 2, 3) for packet in talk(("up", GET), port=4000 + port, whole=False)]
    assert [record.client_port for record in flows(opened)] == [4001, 4002, 4003]


def test_other_protocols_are_counted(flows: Flows) -> None:
    (record,) = flows(talk(("down", b"SSH-2.0-x\r\n"), ("up", b"SSH-2.0-y\r\n"), to=22))
    assert (record.kind, record.phase, record.host, record.port) == ("tcp", "end", SERVER, 22)
    assert (record.bytes_up, record.bytes_down) == (11, 11)


def test_a_connection_without_a_byte_is_no_flow(flows: Flows) -> None:
    assert flows(talk()) == []


def test_dns_questions_and_answers(flows: Flows) -> None:
    question = DNSQR(qname="a.example", qtype="A")
    ask = IP(src=CLIENT, dst=SERVER) / UDP(sport=5000, dport=53)
    answer = IP(src=SERVER, dst=CLIENT) / UDP(sport=53, dport=5000)
    found = flows(
        [
            ask / DNS(id=1, qd=question),
            ask / DNS(id=2, qd=question),
            answer / DNS(id=1, qr=1, qd=question, an=DNSRR(rrname="a.example", rdata="192.0.2.9")),
            answer / DNS(id=9, qr=1, rcode=3, qd=question),
            answer / b"\x00not dns",
        ]
    )
    assert [(record.phase, record.qname, record.rcode, record.answers, record.client) for record in found] == [
        ("response", "a.example", "NOERROR", ("192.0.2.9",), CLIENT),
        ("response", "a.example", "NXDOMAIN", (), CLIENT),
        ("request", "a.example", "", (), CLIENT),
    ]


def test_a_capture_cut_anywhere_is_survived(tmp_path: Path) -> None:
    wrpcap(str(tmp_path / "x.pcap"), list(talk(("up", GET), ("down", OK))))
    whole = (tmp_path / "x.pcap").read_bytes()
    for size in range(4, len(whole), 7):
        (tmp_path / "cut.pcap").write_bytes(whole[:size])
        assert len([each for each in importers.read(tmp_path / "cut.pcap") if isinstance(each, FlowRecord)]) <= 1


def test_bytes_changed_anywhere_are_survived(tmp_path: Path) -> None:
    wrpcap(str(tmp_path / "x.pcap"), list(talk(("up", GET), ("down", OK))))
    whole = (tmp_path / "x.pcap").read_bytes()
    for place in range(0, len(whole), 5):
        changed = whole[:place] + struct.pack("B", whole[place] ^ 0xFF) + whole[place + 1 :]
        (tmp_path / "changed.pcap").write_bytes(changed)
        for each in importers.read(tmp_path / "changed.pcap"):
            assert isinstance(each, FlowRecord | BadLine)


def test_a_capture_may_come_through_a_pipe(tmp_path: Path) -> None:
    wrpcap(str(tmp_path / "x.pcap"), list(talk(("up", GET), ("down", OK))))
    raw = io.BytesIO((tmp_path / "x.pcap").read_bytes())
    found = list(importers.records(io.BufferedReader(raw), "-"))
    assert [each.id for each in found if isinstance(each, FlowRecord)] == ["-#1"]


def busy(count: int) -> Iterator[Seen]:
    """Connections that nobody closes, one after the other, each with a request, some with missing parts."""
    for number in range(count):
        ends = (f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}", 4000), (SERVER, 80)
        yield Seen(number * 0.5, 6, *ends, 1, 24, GET)
        if number % 3 == 0:
            yield Seen(number * 0.5, 6, *ends, 5000, 24, b"x" * 1400)


def test_memory_does_not_grow_with_the_length_of_a_capture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pcap, "IDLE", 20.0)
    monkeypatch.setattr(pcap, "_SWEEP", 100)

    def peak(count: int) -> int:
        tracemalloc.start()
        for _ in pcap.Flows().records(busy(count)):
            pass
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    peak(100)  # what is imported and cached on the way
    short = peak(500)
    assert peak(2000) < 1.2 * short

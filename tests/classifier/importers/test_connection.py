"""One connection, packet by packet. Whole captures are in `test_pcap`."""

import pytest

from classifier.importers.connection import Connection
from classifier.importers.packets import ACK, FIN, RST, SYN, TCP, Packet
from classifier.records import FlowRecord

CLIENT, SERVER = ("192.0.2.1", 4000), ("198.51.100.2", 80)
GET = b"GET / HTTP/1.1\r\nHost: [2001:db8::5]:8080\r\n\r\n"


def packet(up: bool, seq: int, payload: bytes = b"", flags: int = ACK, time: float = 1.0) -> Packet:
    source, target = (CLIENT, SERVER) if up else (SERVER, CLIENT)
    return Packet(time, TCP, source, target, seq, flags, payload)


def run(*packets: Packet) -> list[FlowRecord]:
    connection = Connection(packets[0])
    found = [record for each in packets for record in connection.feed(each)]
    return [*found, *connection.finish()]


@pytest.mark.parametrize(
    "first",
    [
        packet(True, 1, flags=SYN),
        packet(False, 1, flags=SYN | ACK),
        packet(True, 1, GET),
        packet(False, 1, b"HTTP/1.1 200 OK\r\n\r\n"),
        packet(True, 1, b"\x16\x03\x01\x00\x01"),
        packet(True, 1, b"?"),  # the lower port serves
        packet(False, 1, b"?"),
    ],
)
def test_who_is_the_client(first: Packet) -> None:
    connection = Connection(first)
    assert (connection.client, connection.server) == (CLIENT, SERVER)


def test_an_exchange_comes_as_soon_as_its_reply_ends() -> None:
    connection = Connection(packet(True, 1, GET))
    assert list(connection.feed(packet(True, 1, GET))) == []
    (record,) = connection.feed(packet(False, 1, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", time=3.0))
    assert (record.host, record.port, record.status, record.seconds) == ("2001:db8::5", 8080, 200, 2.0)
    assert list(connection.finish()) == []


def test_a_reply_seen_before_its_request_is_paired() -> None:
    (record,) = run(packet(False, 1, b"HTTP/1.1 204 x\r\n\r\n"), packet(True, 1, GET))
    assert (record.method, record.status) == ("GET", 204)


def test_a_reply_that_lasts_until_the_close() -> None:
    (record,) = run(packet(True, 1, GET), packet(False, 1, b"HTTP/1.1 200 OK\r\n\r\nto the end"))
    assert record.response_body == b"to the end"


@pytest.mark.parametrize(
    "last", [[packet(True, 9, flags=RST)], [packet(True, 9, flags=FIN), packet(False, 1, flags=FIN)]]
)
def test_a_connection_is_over_when_both_have_ended_it(last: list[Packet]) -> None:
    connection = Connection(packet(True, 1, b"12345678"))
    assert not list(connection.feed(packet(True, 1, b"12345678"))) and not connection.over
    for each in last:
        assert not list(connection.feed(each))
    assert connection.over
    assert connection.renewed(packet(True, 500, flags=SYN))
    assert not connection.renewed(packet(False, 500, flags=SYN | ACK))

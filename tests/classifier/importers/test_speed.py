"""The measurement measures what it says; nothing here is about how long it takes."""

from pathlib import Path

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Packet

import needs
from classifier import importers
from classifier.importers import frames, speed
from classifier.importers.frames import Frame
from classifier.records import FlowRecord

GET = b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n"
FOUR = IP(src="192.0.2.1", dst="198.51.100.2")
SIX = IPv6(src="2001:db8::1", dst="2001:db8::2")


def frame(ends: Packet) -> Frame:
    """A request in one frame."""
    return Frame(100.0, 1, bytes(Ether(src="02::1", dst="02::2") / ends / TCP(sport=4000, dport=80, flags="PA") / GET))


@pytest.mark.parametrize("ends", [FOUR, SIX])
def test_a_conversation_repeated_is_as_many_conversations(ends: Packet, tmp_path: Path) -> None:
    assert speed.write(tmp_path / "x.pcap", speed.repeated([frame(ends)], 300)) == 300
    found = [each for each in importers.read(tmp_path / "x.pcap") if isinstance(each, FlowRecord)]
    assert len({(record.client, record.server) for record in found}) == 300


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    speed.write(tmp_path / "x.pcap", [frame(FOUR)])
    with (tmp_path / "x.pcap").open("rb") as file:
        assert list(frames.read(file)) == [frame(FOUR)]


def test_both_readers_see_the_same(tmp_path: Path) -> None:
    tshark = needs.require("tshark")
    count = speed.write(tmp_path / "x.pcap", speed.repeated([frame(FOUR)], 20))
    mine, other = speed.ours(tmp_path / "x.pcap", count), speed.theirs(tshark, tmp_path / "x.pcap", count)
    assert (mine.records, mine.packets) == (other.records, other.packets) == (20, 20)


def test_each_file_is_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speed, "SECONDS", 0.0)
    speed.write(tmp_path / "x.pcap", [frame(FOUR)])
    speed.write(tmp_path / "none.pcap", [])
    (tmp_path / "x.jsonl").write_text('{"host": "a"}\n')
    names = ("x.pcap", "none.pcap", "x.jsonl")
    speed.main(["--packets", "10", *(str(tmp_path / name) for name in names)])
    said = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in said] == list(names)
    assert "packets/s" in said[0] and "no packets" in said[1] and "records/s" in said[2]
